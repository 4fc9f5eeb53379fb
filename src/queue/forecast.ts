/** When recordings will have ended, if the engine goes on as it does. A calculation; it measures nothing. */
import { placesForDeferred, type Tier, TierTurns } from './tiers.ts'

interface Ahead {
  /** Seconds of audio that are still to be heard of it. */
  readonly secondsLeft: number
  readonly tier: Tier
}

interface Situation {
  readonly running: readonly Ahead[]
  /** Those behind them, in their order. */
  readonly waiting: readonly Ahead[]
  /** How many the engine takes at once, and how many of these places deferred work leaves free. */
  readonly places: number
  readonly reservedForRealtime: number
  /** Seconds of audio in a second, of all of them together. */
  readonly speed: number
}

/** Which endings are waited for. */
export interface Awaited {
  readonly count: number
  /** Those of one tier; absent: any. */
  readonly tier?: Tier
}

/**
 * Seconds until so many recordings have ended. The engine divides its time evenly: of n recordings in it, each gets
 * an nth of its speed, so the next one to end is the one with the least left. Its place goes to the next in line.
 */
export function secondsUntilEnded({ count, tier }: Awaited, situation: Situation): number {
  const { speed } = situation
  let inside = situation.running.map((recording) => ({ ...recording }))
  const admit = admission(situation)
  let seconds = 0
  for (let ended = 0; ended < count; ) {
    inside.push(...admit(inside))
    const [first, ...others] = inside.toSorted((a, b) => a.secondsLeft - b.secondsLeft)
    if (first === undefined) break
    seconds += (first.secondsLeft * inside.length) / speed
    inside = others.map((other) => ({ ...other, secondsLeft: other.secondsLeft - first.secondsLeft }))
    if (tier === undefined || first.tier === tier) ended++
  }
  return seconds
}

/** Who comes in when those are inside, by the rule of the real admission. Keys do not matter: their recordings are as long. */
function admission({ waiting, places, reservedForRealtime }: Situation) {
  const turns = new TierTurns(placesForDeferred(places, reservedForRealtime))
  const lines = {
    realtime: waiting.filter(({ tier }) => tier === 'realtime'),
    deferred: waiting.filter(({ tier }) => tier === 'deferred'),
  }
  return (inside: readonly Ahead[]): Ahead[] => {
    const admitted: Ahead[] = []
    while (inside.length + admitted.length < places) {
      const tier = turns.next({
        realtimeWaits: lines.realtime.length > 0,
        deferredWaits: lines.deferred.length > 0,
        deferredInside: [...inside, ...admitted].filter((recording) => recording.tier === 'deferred').length,
      })
      const next = tier && lines[tier].shift()
      if (next === undefined) break
      admitted.push(next)
    }
    return admitted
  }
}
