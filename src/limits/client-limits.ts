/**
 * What one client may ask for: requests in a minute, requests at once, seconds of audio in a day. Counted in memory, in
 * windows that begin with a client's first request. Who a client is is decided by whoever names its account.
 */
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible'
import { Failure } from '../failure.ts'

const MINUTE_SECONDS = 60
const DAY_SECONDS = 86_400

/** 0: as many as they like. */
export interface LimitSettings {
  readonly requestsPerMinute: number
  readonly concurrentRequests: number
  readonly audioSecondsPerDay: number
}

/** The requests of a window, as a client may be told of them. */
export interface RequestsLeft {
  readonly limit: number
  readonly remaining: number
  readonly resetSeconds: number
}

export class ClientLimits {
  readonly #settings: LimitSettings
  readonly #requests: RateLimiterMemory
  readonly #audio: RateLimiterMemory
  /** Nobody is in it with 0. */
  readonly #atWork = new Map<string, number>()

  constructor(settings: LimitSettings) {
    this.#settings = settings
    this.#requests = new RateLimiterMemory({ points: settings.requestsPerMinute, duration: MINUTE_SECONDS })
    this.#audio = new RateLimiterMemory({ points: settings.audioSecondsPerDay, duration: DAY_SECONDS })
  }

  /**
   * A request begins; it has ended when the place is disposed of. One that is refused counts as one of the minute only
   * if it was the minute that was full.
   *
   * @throws Failure rate_limit_exceeded
   */
  async enter(account: string): Promise<Disposable> {
    await this.#requireAudioLeft(account)
    using undo = new DisposableStack()
    undo.use(this.#takePlace(account))
    await this.#countRequest(account)
    return undo.move()
  }

  /** Undefined when requests are not limited. */
  async requestsLeft(account: string): Promise<RequestsLeft | undefined> {
    const limit = this.#settings.requestsPerMinute
    if (limit === 0) return undefined
    const window = await this.#requests.get(account)
    return {
      limit,
      remaining: window?.remainingPoints ?? limit,
      resetSeconds: window === null ? 0 : secondsUntil(window),
    }
  }

  /** Takes seconds of audio from the day; negative ones are given back, as far as this day has any. */
  async charge(account: string, seconds: number): Promise<void> {
    if (this.#settings.audioSecondsPerDay === 0 || seconds === 0) return
    if (seconds > 0) {
      await this.#audio.penalty(account, seconds)
      return
    }
    const used = (await this.#audio.get(account))?.consumedPoints ?? 0
    await this.#audio.reward(account, Math.min(used, -seconds))
  }

  /** Whoever has a second left may send a recording of any length: it is not known before it has come. */
  async #requireAudioLeft(account: string): Promise<void> {
    const most = this.#settings.audioSecondsPerDay
    const window = most === 0 ? null : await this.#audio.get(account)
    if (window === null || window.consumedPoints < most) return
    throw exceeded(`${most} seconds of audio a day`, secondsUntil(window))
  }

  async #countRequest(account: string): Promise<void> {
    const most = this.#settings.requestsPerMinute
    if (most === 0) return
    const window = await this.#requests.penalty(account)
    if (window.consumedPoints > most) throw exceeded(`${most} requests a minute`, secondsUntil(window))
  }

  #takePlace(account: string): Disposable {
    const most = this.#settings.concurrentRequests
    const before = this.#atWork.get(account) ?? 0
    if (most > 0 && before >= most) throw exceeded(`${most} requests at once`)
    this.#atWork.set(account, before + 1)
    return {
      [Symbol.dispose]: () => {
        const left = (this.#atWork.get(account) ?? 0) - 1
        if (left > 0) this.#atWork.set(account, left)
        else this.#atWork.delete(account)
      },
    }
  }
}

function secondsUntil({ msBeforeNext }: RateLimiterRes): number {
  return Math.max(1, Math.ceil(msBeforeNext / 1000))
}

/** When another request of the client's own will have ended nobody knows. */
function exceeded(limit: string, seconds?: number): Failure {
  const when = seconds === undefined ? 'when another one has ended' : `in ${seconds} seconds`
  return new Failure(
    'rate_limit_exceeded',
    `A client may have ${limit} here, and this one has had them. The next may come ${when}.`,
    seconds === undefined ? {} : { retryAfterSeconds: seconds },
  )
}
