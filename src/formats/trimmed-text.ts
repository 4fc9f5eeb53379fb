/** A text that comes in pieces loses its outer spaces: what may turn out to be its end is held back until more follows. */

export class TrimmedText {
  #told = ''
  #held = ''

  /** What may be told now; empty when nothing may. */
  add(text: string): string {
    const news = this.#told === '' ? text.trimStart() : this.#held + text
    const piece = news.trimEnd()
    this.#held = news.slice(piece.length)
    this.#told += piece
    return piece
  }

  /** @throws Error when what was told is not the beginning of `whole`: a bug of whoever told the pieces. */
  restOf(whole: string): string {
    if (whole.startsWith(this.#told)) return whole.slice(this.#told.length)
    // Numbers only: what is said in a recording does not belong into a log.
    const lengths = `${this.#told.length} characters told, ${whole.length} in the end`
    throw new Error(`what was told is not the beginning of the text: ${lengths}`)
  }
}
