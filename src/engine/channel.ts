/** Hands items from a writer that must not wait to one reader that may. It knows nothing of what the items are. */

/**
 * Unbounded on purpose: the child's one stdout serves all requests, so a slow reader must not hold up the others,
 * and even the windows of a 24-hour recording are a few tens of megabytes.
 */
export class Channel<Item extends object> {
  readonly #items: Item[] = []
  #failure: { readonly reason: unknown } | undefined
  #breakage: { readonly reason: unknown } | undefined
  #isClosed = false
  #changed = Promise.withResolvers<void>()

  push(item: Item): void {
    this.#items.push(item)
    this.#changed.resolve()
  }

  /** The reader still gets what was pushed before. */
  close(): void {
    this.#isClosed = true
    this.#changed.resolve()
  }

  /** The reader still gets what was pushed before, and then the reason. */
  breakOff(reason: unknown): void {
    this.#breakage ??= { reason }
    this.#changed.resolve()
  }

  /** The reader gets the reason at once, before anything that it has not read yet. */
  fail(reason: unknown): void {
    this.#failure ??= { reason }
    this.#changed.resolve()
  }

  /** @throws the reason given to `fail` or `breakOff`. */
  async *read(): AsyncGenerator<Item, void, undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.reason
      const item = this.#items.shift()
      if (item !== undefined) yield item
      else if (this.#isClosed) return
      else if (this.#breakage !== undefined) throw this.#breakage.reason
      else {
        await this.#changed.promise
        this.#changed = Promise.withResolvers()
      }
    }
  }
}
