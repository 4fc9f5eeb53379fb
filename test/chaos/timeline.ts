/** What was done to the server and when, so that it can be told which answers have an excuse. Times are of one monotonic clock. */

/**
 * `overload` is never written down: it is always. `engineDied` is what the server's log says; `engineDown` lasts until the next
 * child is ready.
 */
type Trouble = 'engineDied' | 'engineDown' | 'restart' | 'fullDisk' | 'ffmpegKilled' | 'frozen'

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
