/** When a model that is being loaded will be ready, as far as that can be foreseen. It knows neither children nor waits. */
import type { LoadingMessage } from './protocol.ts'

interface Mark {
  readonly stage: LoadingMessage['stage']
  /** From 0 to 1, of this stage. */
  readonly fraction: number
  readonly atMs: number
}

export class LoadingForecast {
  readonly #nowMs: () => number
  /** Since when nothing has been ready. A download does not count: it comes only once, and what follows is short beside it. */
  #awayMs: number
  /** Since when this child loads. */
  #loadingMs: number
  #lastLoadMs: number | undefined
  /** The first and the last fraction of the stage that is going on. */
  #first: Mark | undefined
  #last: Mark | undefined

  /** `nowMs` never goes back. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs
    this.#awayMs = nowMs()
    this.#loadingMs = this.#awayMs
  }

  /** A child has been started: from now on it is the one to wait for. */
  follow({ ready, exited }: { readonly ready: Promise<unknown>; readonly exited: Promise<unknown> }): void {
    this.#loadingMs = this.#nowMs()
    this.#first = undefined
    this.#last = undefined
    const live = async () => {
      await ready
      this.#lastLoadMs = this.#nowMs() - this.#loadingMs
      await exited
      this.#awayMs = this.#nowMs()
      this.#loadingMs = this.#awayMs
    }
    void live().catch(() => {}) // it was never ready: then the wait goes on
  }

  progress({ stage, fraction }: LoadingMessage): void {
    const atMs = this.#nowMs()
    if (stage === 'downloading') this.#loadingMs = this.#awayMs = atMs
    this.#last = fraction === null ? undefined : { stage, fraction, atMs }
    if (this.#last?.stage !== this.#first?.stage) this.#first = this.#last
  }

  /**
   * From the fraction that is done and how fast it came; else from how long the last load took; else it will take as
   * long again as it has taken: whoever asks early is told to wait briefly, whoever asks late to wait for long.
   */
  secondsLeft(): number {
    const nowMs = this.#nowMs()
    const ofLastLoad = this.#lastLoadMs === undefined ? 0 : this.#loadingMs + this.#lastLoadMs - nowMs
    const leftMs = this.#ofFraction(nowMs) ?? (ofLastLoad > 0 ? ofLastLoad : nowMs - this.#awayMs)
    return leftMs / 1000
  }

  #ofFraction(nowMs: number): number | undefined {
    const [first, last] = [this.#first, this.#last]
    if (first === undefined || last === undefined || last.fraction <= first.fraction) return undefined
    // Up to now, not up to the last message: a download that stands still gets later and later.
    const msForAll = (nowMs - first.atMs) / (last.fraction - first.fraction)
    return (1 - last.fraction) * msForAll
  }
}
