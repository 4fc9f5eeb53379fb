/** Which of two tiers a free place goes to. A rule, without lines or places of its own. */

/** `realtime`: somebody waits for the answer. `deferred`: whenever there is room. */
export type Tier = 'realtime' | 'deferred'

/** So many of the other tier may pass one that waits; the scheduler of the engine has the same patience with newcomers. */
const PATIENCE = 8

interface Situation {
  readonly realtimeWaits: boolean
  readonly deferredWaits: boolean
  /** How many of that tier hold a place. */
  readonly deferredInside: number
}

export class TierTurns {
  /** So many deferred ones may hold a place at once. */
  readonly #mostDeferred: number
  #passed = 0

  constructor(mostDeferred: number) {
    this.#mostDeferred = mostDeferred
  }

  /** Whose turn it is; undefined when the place stays free. Realtime first, but not for ever. */
  next({ realtimeWaits, deferredWaits, deferredInside }: Situation): Tier | undefined {
    const deferredMay = deferredWaits && deferredInside < this.#mostDeferred
    if (realtimeWaits && (!deferredMay || this.#passed < PATIENCE)) {
      this.#passed = deferredMay ? this.#passed + 1 : 0
      return 'realtime'
    }
    this.#passed = 0
    return deferredMay ? 'deferred' : undefined
  }
}

/** What of so many places is left for deferred work. One always is: what is let in must have its turn some day. */
export function placesForDeferred(places: number, reservedForRealtime: number): number {
  return Math.max(1, places - reservedForRealtime)
}
