/**
 * What is on the road, how fast it moves, and so when there will be room. It refuses who comes when there is none;
 * whose turn it is among those who were let in is admission's business.
 */
import { Failure } from '../failure.ts'
import { type Awaited, secondsUntilEnded } from './forecast.ts'
import { Speed } from './speed.ts'
import { placesForDeferred, type Tier } from './tiers.ts'

interface WorkloadParts {
  /** How many recordings the engine takes at once. */
  readonly places: number
  /** How many more may be on the road. 0: whoever finds no free place is refused at once. */
  readonly maxWaiting: number
  /** So many places, in the engine and on the road, deferred work leaves free. Absent: none. */
  readonly reservedForRealtime?: number
  /** What whoever is refused is told, whatever the measurements say. Absent: what they say. */
  readonly busyRetryAfterSeconds?: number | undefined
  /** Whether the engine works when it has something to do. The time in which it is loading tells nothing about its speed. */
  readonly isWorking: () => boolean
  /** Never goes back. */
  readonly nowMs: () => number
}

/** One recording on the road, from its arrival to the disposal of this. Seconds are seconds of audio. */
export interface Work extends Disposable {
  lengthIs(seconds: number): void
  /** Its turn at the engine has come; so much of it was heard before, in another process. */
  start(heardSeconds?: number): void
  /** So much of it has been heard, from its beginning. */
  heard(seconds: number): void
}

/** A recording whose length nobody knows yet is taken for as long as the last ones. */
const LAST_LENGTHS = 32

class Recording {
  readonly tier: Tier
  isRunning = false
  heardSeconds = 0
  lengthSeconds: number | undefined

  constructor(tier: Tier) {
    this.tier = tier
  }
}

export class Workload {
  readonly #parts: WorkloadParts
  readonly #speed = new Speed()
  /** In the order of their coming. */
  readonly #recordings = new Set<Recording>()
  readonly #lastLengths: number[] = []
  #lookedAtMs: number
  #wasWorking = false

  constructor(parts: WorkloadParts) {
    this.#parts = parts
    this.#lookedAtMs = parts.nowMs()
  }

  /** @throws Failure queue_full */
  enter(tier: Tier = 'realtime'): Work {
    this.requireRoom(tier)
    const recording = new Recording(tier)
    this.#recordings.add(recording)
    return {
      lengthIs: (seconds) => this.#learnLength(recording, seconds),
      start: (heardSeconds = 0) =>
        this.#change(0, () => Object.assign(recording, { isRunning: true, heardSeconds })),
      heard: (seconds) => this.#hear(recording, seconds),
      [Symbol.dispose]: () => this.#change(0, () => this.#recordings.delete(recording)),
    }
  }

  /**
   * For whoever wants to know before it comes: a recording of hours is better not sent than refused when it is here.
   *
   * @throws Failure queue_full
   */
  requireRoom(tier: Tier = 'realtime'): void {
    const { places, maxWaiting, busyRetryAfterSeconds } = this.#parts
    const room = places + maxWaiting
    const awaited = [{ count: this.#recordings.size - room + 1 }, ...this.#awaitedBy(tier, room)]
    const full = awaited.filter(({ count }) => count > 0)
    if (full.length === 0) return
    const seconds = busyRetryAfterSeconds ?? this.#secondsUntilAll(full)
    const taken = this.#recordings.size >= room ? room : placesForDeferred(room, this.#reserved)
    throw new Failure(
      'queue_full',
      `All ${taken} places for recordings are taken. Please try again later.`,
      seconds === undefined ? {} : { retryAfterSeconds: seconds },
    )
  }

  /** How many recordings are on the road. */
  get size(): number {
    return this.#recordings.size
  }

  /** How long a recording that comes now will wait for a place in the engine. Undefined until a speed has been measured. */
  waitSeconds(): number | undefined {
    const inFront = this.#recordings.size - this.#parts.places + 1
    return inFront <= 0 ? 0 : this.#secondsUntilEnded({ count: inFront })
  }

  get #reserved(): number {
    return this.#parts.reservedForRealtime ?? 0
  }

  /** What else this tier waits for. */
  #awaitedBy(tier: Tier, room: number): Awaited[] {
    if (tier !== 'deferred') return []
    const deferred = [...this.#recordings].filter((recording) => recording.tier === tier).length
    return [{ count: deferred - placesForDeferred(room, this.#reserved) + 1, tier }]
  }

  #secondsUntilAll(awaited: readonly Awaited[]): number | undefined {
    const seconds = awaited.map((endings) => this.#secondsUntilEnded(endings))
    return seconds.reduce((longest, one) =>
      longest === undefined || one === undefined ? one : Math.max(longest, one),
    )
  }

  #secondsUntilEnded(awaited: Awaited): number | undefined {
    const speed = this.#speed.perSecond
    if (speed === undefined) return undefined
    const ahead = (isRunning: boolean) =>
      [...this.#recordings]
        .filter((recording) => recording.isRunning === isRunning)
        .map((recording) => ({ secondsLeft: this.#secondsLeft(recording), tier: recording.tier }))
    const { places } = this.#parts
    const queue = { running: ahead(true), waiting: ahead(false), places, reservedForRealtime: this.#reserved }
    return secondsUntilEnded(awaited, { ...queue, speed })
  }

  #secondsLeft({ lengthSeconds = this.#usualLength(), heardSeconds }: Recording): number {
    return Math.max(0, lengthSeconds - heardSeconds)
  }

  #usualLength(): number {
    const lengths = this.#lastLengths
    return lengths.reduce((sum, seconds) => sum + seconds, 0) / Math.max(1, lengths.length)
  }

  #learnLength(recording: Recording, seconds: number): void {
    recording.lengthSeconds = seconds
    this.#lastLengths.push(seconds)
    if (this.#lastLengths.length > LAST_LENGTHS) this.#lastLengths.shift()
  }

  #hear(recording: Recording, seconds: number): void {
    const more = Math.max(0, seconds - recording.heardSeconds)
    this.#change(more, () => (recording.heardSeconds += more))
  }

  /** What is heard counts for the time since the last look, if the engine was at work then; `change` is what happens now. */
  #change(audioSeconds: number, change: () => void): void {
    const nowMs = this.#parts.nowMs()
    if (this.#wasWorking) this.#speed.observe(audioSeconds, (nowMs - this.#lookedAtMs) / 1000)
    this.#lookedAtMs = nowMs
    change()
    const isBusy = [...this.#recordings].some(({ isRunning }) => isRunning)
    this.#wasWorking = isBusy && this.#parts.isWorking()
  }
}
