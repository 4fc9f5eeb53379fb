/**
 * Whose turn it is: so many at once, the others wait in order, realtime before deferred and taking turns between keys.
 * It does not know what is done with a turn, and refuses nobody: how many may wait is the workload's business.
 */
import { Lines } from './lines.ts'
import { placesForDeferred, type Tier, TierTurns } from './tiers.ts'

export interface Ticket {
  /** Whoever shares a key shares one line; the lines take turns. */
  readonly key?: string
  /** Realtime when absent. */
  readonly tier?: Tier
}

interface AdmissionPlaces {
  readonly places: number
  /** Of these, deferred work leaves so many free. */
  readonly reservedForRealtime?: number
}

type Admit = (turn: Disposable) => void

export class Admission {
  readonly #places: number
  readonly #turns: TierTurns
  readonly #lines: Readonly<Record<Tier, Lines<Admit>>> = { realtime: new Lines(), deferred: new Lines() }
  readonly #inside: Record<Tier, number> = { realtime: 0, deferred: 0 }

  constructor({ places, reservedForRealtime = 0 }: AdmissionPlaces) {
    this.#places = places
    this.#turns = new TierTurns(placesForDeferred(places, reservedForRealtime))
  }

  state(): { active: number; waiting: number } {
    const { realtime, deferred } = this.#lines
    return { active: this.#active, waiting: realtime.waiting + deferred.waiting }
  }

  /**
   * Waits for a turn; disposing the turn lets the next one in.
   *
   * @throws the signal's reason when it aborts while waiting. A turn once given is the holder's to dispose.
   */
  async enter({ key = '', tier = 'realtime' }: Ticket, signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<Disposable>()
    const line = this.#lines[tier]
    const leaveLine = () => {
      line.remove(key, admit)
      reject(signal.reason)
    }
    const admit = (turn: Disposable) => {
      signal.removeEventListener('abort', leaveLine)
      resolve(turn)
    }
    signal.addEventListener('abort', leaveLine, { once: true })
    line.add(key, admit)
    this.#fill()
    return promise
  }

  get #active(): number {
    return this.#inside.realtime + this.#inside.deferred
  }

  /** A place goes straight to the next in line: were it free in between, a newcomer could overtake. */
  #fill(): void {
    while (this.#active < this.#places) {
      const tier = this.#turns.next({
        realtimeWaits: this.#lines.realtime.waiting > 0,
        deferredWaits: this.#lines.deferred.waiting > 0,
        deferredInside: this.#inside.deferred,
      })
      const admit = tier === undefined ? undefined : this.#lines[tier].shift()
      if (tier === undefined || admit === undefined) return
      this.#inside[tier]++
      admit(this.#turn(tier))
    }
  }

  #turn(tier: Tier): Disposable {
    let isOver = false
    return {
      [Symbol.dispose]: () => {
        if (isOver) return
        isOver = true
        this.#inside[tier]--
        this.#fill()
      },
    }
  }
}
