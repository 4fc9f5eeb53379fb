/** How many seconds of audio the engine gets through in a second, as measured lately. It knows neither recordings nor queues. */

/** Older work counts half after so much newer work: long enough for a long window on a slow CPU, short enough to notice a change. */
const HALF_LIFE_SECONDS = 300

export class Speed {
  #audioSeconds = 0
  #seconds = 0

  /** So much was heard in so much time, in which the engine had something to do. */
  observe(audioSeconds: number, seconds: number): void {
    const kept = 0.5 ** (seconds / HALF_LIFE_SECONDS)
    this.#audioSeconds = this.#audioSeconds * kept + audioSeconds
    this.#seconds = this.#seconds * kept + seconds
  }

  /** Undefined until something has been measured. */
  get perSecond(): number | undefined {
    const isMeasured = this.#audioSeconds > 0 && this.#seconds > 0
    return isMeasured ? this.#audioSeconds / this.#seconds : undefined
  }
}
