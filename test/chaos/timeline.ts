/** What was done to the server and when, so that it can be told which answers have an excuse. Times are of one monotonic clock. */

/** `engineDied` is a moment, told by the server's log; `engineDown` lasts from then, or from Node's start, until a child is ready. */
export type Trouble = 'engineDied' | 'engineDown' | 'restart' | 'fullDisk' | 'ffmpegKilled'

interface Stretch {
  readonly trouble: Trouble
  readonly fromMs: number
  toMs: number
}

export class Timeline {
  readonly #stretches: Stretch[] = []

  /** A moment, or a stretch until the returned function is called. */
  begin(trouble: Trouble): () => void {
    const stretch = { trouble, fromMs: performance.now(), toMs: Number.POSITIVE_INFINITY }
    this.#stretches.push(stretch)
    return () => {
      stretch.toMs = Math.min(stretch.toMs, performance.now())
    }
  }

  happened(trouble: Trouble): void {
    this.begin(trouble)()
  }

  /** How often, in the time since then. */
  since(trouble: Trouble, fromMs: number): number {
    return this.#stretches.filter((stretch) => stretch.trouble === trouble && stretch.toMs >= fromMs).length
  }
}
