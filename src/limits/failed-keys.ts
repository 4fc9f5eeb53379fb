/** How often an address may show a key that is not good. Which keys are good is not known here. */
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { Failure } from '../failure.ts'

const MINUTE_SECONDS = 60
/** Of these the oldest is forgotten first. */
const MOST_REMEMBERED = 10_000

export class FailedKeys {
  readonly #mostPerMinute: number
  readonly #failures: RateLimiterMemory
  /** Which client has come from which address, the latest last. */
  readonly #seen = new Set<string>()

  /** @param mostPerMinute 0: as many as they like. */
  constructor(mostPerMinute: number) {
    this.#mostPerMinute = mostPerMinute
    this.#failures = new RateLimiterMemory({ points: mostPerMinute, duration: MINUTE_SECONDS })
  }

  /**
   * Whoever guesses gets no more answers, not even the right one. But a client that has come from there before is let
   * in: behind one address there may be many, and one with an old key must not lock out the others.
   *
   * @param clientId whose key it was, if it was good.
   * @throws Failure rate_limit_exceeded
   */
  async judge(address: string, clientId: string | undefined): Promise<void> {
    if (this.#mostPerMinute === 0) return
    const visit = clientId === undefined ? undefined : `${address} ${clientId}`
    if (visit === undefined || !this.#seen.has(visit)) await this.#requireFewFailures(address)
    if (visit === undefined) await this.#failures.penalty(address)
    else this.#remember(visit)
  }

  async #requireFewFailures(address: string): Promise<void> {
    const window = await this.#failures.get(address)
    if (window === null || window.consumedPoints < this.#mostPerMinute) return
    const seconds = Math.max(1, Math.ceil(window.msBeforeNext / 1000))
    throw new Failure(
      'rate_limit_exceeded',
      `Too many keys that are not good came from this address: ${this.#mostPerMinute} a minute are looked at. The next may come in ${seconds} seconds.`,
      { retryAfterSeconds: seconds },
    )
  }

  #remember(visit: string): void {
    this.#seen.delete(visit)
    this.#seen.add(visit)
    const [oldest] = this.#seen
    if (oldest !== undefined && this.#seen.size > MOST_REMEMBERED) this.#seen.delete(oldest)
  }
}
