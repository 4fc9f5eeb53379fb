// Queues on a clock of their own: what the workload foresees against what then happens.
import { expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { secondsUntilEnded } from '../../src/queue/forecast.ts'
import { Speed } from '../../src/queue/speed.ts'
import { placesForDeferred, type Tier, TierTurns } from '../../src/queue/tiers.ts'
import { type Work, Workload } from '../../src/queue/workload.ts'

interface Job {
  readonly work: Work
  readonly tier: Tier
  readonly lengthSeconds: number
  heardSeconds: number
}

/** An engine that divides its speed evenly among what is in it, and a clock that moves only when it works. */
function simulate({ places = 2, maxWaiting = 100, speed = 10, reservedForRealtime = 0 } = {}) {
  const clock = { nowMs: 0 }
  const engine = { isReady: true }
  const workload = new Workload({
    places,
    maxWaiting,
    reservedForRealtime,
    isWorking: () => engine.isReady,
    nowMs: () => clock.nowMs,
  })
  const inside: Job[] = []
  const line: Job[] = []

  const turns = new TierTurns(placesForDeferred(places, reservedForRealtime))

  function arrive(lengthSeconds: number, knowsLength = true, tier: Tier = 'realtime'): void {
    const work = workload.enter(tier)
    if (knowsLength) work.lengthIs(lengthSeconds)
    line.push({ work, tier, lengthSeconds, heardSeconds: 0 })
    admit()
  }
  function admit() {
    while (inside.length < places) {
      const waits = (tier: Tier) => line.some((job) => job.tier === tier)
      const next = turns.next({
        realtimeWaits: waits('realtime'),
        deferredWaits: waits('deferred'),
        deferredInside: inside.filter(({ tier }) => tier === 'deferred').length,
      })
      const job = line.find(({ tier }) => tier === next)
      if (job === undefined) return
      line.splice(line.indexOf(job), 1)
      inside.push(job)
      job.work.start()
    }
  }
  /** Works for so long, in steps as an engine has windows. */
  function work(seconds: number, stepSeconds = 0.05) {
    for (let passed = 0; passed < seconds - 1e-9; passed += stepSeconds) {
      const share = (speed * stepSeconds) / Math.max(1, inside.length)
      clock.nowMs += stepSeconds * 1000
      for (const job of inside.slice()) {
        job.heardSeconds = Math.min(job.lengthSeconds, job.heardSeconds + share)
        job.work.heard(job.heardSeconds)
        if (job.heardSeconds === job.lengthSeconds) leave(job)
      }
    }
  }
  function leave(job: Job) {
    inside.splice(inside.indexOf(job), 1)
    job.work[Symbol.dispose]()
    admit()
  }
  /** Seconds until somebody may come in. */
  function untilRoom(tier?: Tier): number {
    const startMs = clock.nowMs
    while (refusal(workload, tier) !== undefined) work(0.05)
    return (clock.nowMs - startMs) / 1000
  }
  return { workload, clock, engine, speed, arrive, work, untilRoom }
}

function refusal(workload: Workload, tier?: Tier): Failure | undefined {
  try {
    workload.requireRoom(tier)
    return undefined
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
}

/** Lets the workload measure the engine. */
function warmUp({ arrive, work, speed }: ReturnType<typeof simulate>): void {
  arrive(20)
  work(20 / speed + 0.1)
}

test.each([
  ['of equal lengths', { places: 4, maxWaiting: 8, speed: 10 }, Array.from({ length: 12 }, () => 60)],
  ['of all lengths', { places: 4, maxWaiting: 3, speed: 10 }, [500, 300, 90, 700, 5, 5, 1000]],
  ['on a slow engine', { places: 2, maxWaiting: 1, speed: 0.5 }, [12, 20, 8]],
  ['on a fast engine', { places: 16, maxWaiting: 4, speed: 200 }, Array.from({ length: 20 }, () => 400)],
  ['one at a time', { places: 1, maxWaiting: 0, speed: 10 }, [100]],
])('a full queue says when a place is free: recordings %s', (_what, limits, lengths) => {
  const simulation = simulate(limits)
  warmUp(simulation)
  for (const length of lengths) simulation.arrive(length)

  const foreseen = refusal(simulation.workload)?.retryAfterSeconds
  const real = simulation.untilRoom()

  expect(foreseen).toBeGreaterThanOrEqual(Math.floor(real))
  expect(foreseen).toBeLessThanOrEqual(Math.ceil(real * 1.1) + 1)
})

test('work that is done already counts: who asks later is told less', () => {
  const simulation = simulate({ places: 1, maxWaiting: 0, speed: 10 })
  warmUp(simulation)
  simulation.arrive(400)

  const early = refusal(simulation.workload)?.retryAfterSeconds ?? 0
  simulation.work(20)
  const late = refusal(simulation.workload)?.retryAfterSeconds ?? 0

  expect(early).toBeGreaterThanOrEqual(40)
  expect(early - late).toBe(20)
})

test('a recording whose length is not known is taken for as long as the last ones', () => {
  const simulation = simulate({ places: 1, maxWaiting: 0, speed: 10 })
  for (const length of [100, 200, 300]) {
    simulation.arrive(length)
    simulation.work(length / 10)
  }
  simulation.arrive(1000, false)

  expect(refusal(simulation.workload)?.retryAfterSeconds).toBe(20)
})

test.each([
  [30, 60],
  [0.001, 1],
])('whoever is refused is told 1 to 60 seconds, whatever comes out', (lengthSeconds, least) => {
  const simulation = simulate({ places: 1, maxWaiting: 0, speed: 0.1 })
  simulation.arrive(1)
  simulation.work(10)
  simulation.arrive(lengthSeconds)

  expect(refusal(simulation.workload)).toMatchObject({
    code: 'queue_full',
    status: 503,
    retryAfterSeconds: least,
  })
})

test('whoever is refused before anything was measured is told some seconds all the same', () => {
  const { workload } = simulate({ places: 1, maxWaiting: 0 })
  workload.enter()

  expect(() => workload.enter()).toThrow(
    expect.objectContaining({ code: 'queue_full', retryAfterSeconds: 5 }),
  )
})

test('as many as there are places and may wait are let in, and who leaves makes room', () => {
  const { workload } = simulate({ places: 2, maxWaiting: 3 })
  const works = Array.from({ length: 5 }, () => workload.enter())
  expect(refusal(workload)).toBeDefined()

  works[3]?.[Symbol.dispose]()

  expect(refusal(workload)).toBeUndefined()
  workload.enter()
  expect(refusal(workload)).toBeDefined()
})

test('the wait for the engine is nothing while a place is free, and unknown before anything was measured', () => {
  const simulation = simulate({ places: 1, speed: 10 })
  expect(simulation.workload.waitSeconds()).toBe(0)

  simulation.arrive(100)
  expect(simulation.workload.waitSeconds()).toBeUndefined()

  simulation.work(1)
  simulation.arrive(50)
  expect(simulation.workload.waitSeconds()).toBeCloseTo(9 + 5)
})

test('time in which the engine is loading or idle tells nothing about its speed', () => {
  const simulation = simulate({ places: 1, speed: 10 })
  warmUp(simulation)
  simulation.clock.nowMs += 3_600_000 // a quiet hour

  simulation.engine.isReady = false
  simulation.arrive(100)
  simulation.clock.nowMs += 90_000 // the next model is being loaded
  simulation.engine.isReady = true
  simulation.work(5)
  simulation.arrive(100)

  expect(simulation.workload.waitSeconds()).toBeCloseTo(5 + 10)
})

test('a speed that changes is noticed', () => {
  const speed = new Speed()
  expect(speed.perSecond).toBeUndefined()

  speed.observe(10_000, 1000)
  expect(speed.perSecond).toBeCloseTo(10)
  for (let minute = 0; minute < 20; minute++) speed.observe(60, 60)

  expect(speed.perSecond).toBeLessThan(3)
  expect(speed.perSecond).toBeGreaterThan(1)
})

test.each([
  ['nothing is there', 1, [], [], 0],
  ['one of two', 1, [10, 30], [], 20],
  ['both of two', 2, [10, 30], [], 40],
  ['the next in line, who takes a place', 2, [10, 30], [10], 40],
  ['more than there are', 9, [10, 30], [10], 50],
  ['nobody has entered yet', 1, [], [10, 20], 20],
])('seconds until recordings have ended, with two places: %s', (_what, count, running, waiting, seconds) => {
  const ahead = (lengths: readonly number[]) =>
    lengths.map((secondsLeft) => ({ secondsLeft, tier: 'realtime' as const }))
  const queue = { running: ahead(running), waiting: ahead(waiting), places: 2, reservedForRealtime: 0 }

  expect(secondsUntilEnded({ count }, { ...queue, speed: 1 })).toBe(seconds)
})

test.each([
  ['and one place is reserved', { places: 3, maxWaiting: 0, reservedForRealtime: 1 }, [90, 40]],
  ['and some wait', { places: 2, maxWaiting: 3, reservedForRealtime: 2 }, [90, 40, 10]],
  ['and only one may be there', { places: 4, maxWaiting: 0, reservedForRealtime: 9 }, [60]],
])(
  'deferred work is refused while realtime is let in, %s, and told when there is room for it',
  (_what, limits, lengths) => {
    const simulation = simulate(limits)
    warmUp(simulation)
    for (const length of lengths) simulation.arrive(length, true, 'deferred')

    const foreseen = refusal(simulation.workload, 'deferred')?.retryAfterSeconds
    expect(refusal(simulation.workload)).toBeUndefined()
    const real = simulation.untilRoom('deferred')

    expect(foreseen).toBeGreaterThanOrEqual(Math.floor(real))
    expect(foreseen).toBeLessThanOrEqual(Math.ceil(real * 1.1) + 1)
  },
)

test('realtime work that ends sooner does not count as room for deferred work', () => {
  const simulation = simulate({ places: 3, maxWaiting: 0, reservedForRealtime: 1 })
  warmUp(simulation)
  simulation.arrive(9.5)
  simulation.arrive(99, true, 'deferred')
  simulation.arrive(99, true, 'deferred')

  // All three go on until the short one ends after 3 s; then the two others share the speed.
  expect(refusal(simulation.workload, 'deferred')?.retryAfterSeconds).toBe(21)
  expect(refusal(simulation.workload)?.retryAfterSeconds).toBe(3)
})

test('what is told may be fixed, before and after anything was measured', () => {
  const clock = { nowMs: 0 }
  const nowMs = () => clock.nowMs
  const workload = new Workload({
    places: 1,
    maxWaiting: 0,
    busyRetryAfterSeconds: 2,
    isWorking: () => true,
    nowMs,
  })
  const work = workload.enter()
  work.lengthIs(1000)
  expect(refusal(workload)?.retryAfterSeconds).toBe(2)

  work.start()
  clock.nowMs += 1000
  work.heard(10)

  expect(refusal(workload)?.retryAfterSeconds).toBe(2)
})
