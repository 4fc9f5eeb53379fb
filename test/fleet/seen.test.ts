import { once } from 'node:events'
import { expect, test } from 'vitest'
import type { EngineState } from '../../src/engine/state.ts'
import { ownMember, WorkersSeen } from '../../src/fleet/seen.ts'
import { type Load, type Self, tellOfWorker } from '../../src/fleet/word.ts'
import { createLog } from '../../src/log.ts'
import { FACTS } from '../http/parts.ts'
import { FakeBlobs } from '../jobs/fake-blobs.ts'

const log = createLog('silent')
const READY: EngineState = { phase: 'ready', facts: FACTS }

const IDLE: Load = { active: 0, waiting: 0, places: 8 }

/** A worker that tests change while it tells of itself. */
function someone(now: { state: EngineState; isEnding?: boolean; load?: Load }): Self {
  return {
    id: 'one',
    name: 'gpu-1',
    state: () => now.state,
    load: () => now.load ?? IDLE,
    isEnding: () => now.isEnding ?? false,
  }
}

function reader(blobs: FakeBlobs) {
  const clock = { nowMs: 0 }
  return { clock, seen: new WorkersSeen({ blobs, log, nowMs: () => clock.nowMs }) }
}

const word = (beat: number, more: object = { phase: 'ready', facts: FACTS }) =>
  JSON.stringify({ beat, ...more })

test('what a worker tells of its engine is read, and nothing is left of it when it ends', async () => {
  const blobs = new FakeBlobs()
  const { seen } = reader(blobs)
  const told = once(writes(blobs), 'put')

  const telling = tellOfWorker({ blobs, self: someone({ state: READY }), everyMs: 10_000, log })
  await told
  await seen.look()
  expect(seen.state()).toEqual(READY)

  await telling[Symbol.asyncDispose]()
  await seen.look()
  expect(seen.state()).toMatchObject({ phase: 'elsewhere', message: expect.stringContaining('No worker') })
})

test('a worker that says nothing new is taken for gone after a while, by the clock of whoever reads', async () => {
  const blobs = new FakeBlobs()
  const { clock, seen } = reader(blobs)
  await blobs.put('workers/one.json', word(1))
  await seen.look()

  clock.nowMs = 34_000
  await seen.look()
  expect(seen.state().phase).toBe('ready')
  clock.nowMs = 36_000
  await seen.look()
  expect(seen.state().phase).toBe('elsewhere')

  await blobs.put('workers/one.json', word(2))
  await seen.look()
  expect(seen.state().phase).toBe('ready')
})

test('what it left behind is removed in the end', async () => {
  const blobs = new FakeBlobs()
  const { clock, seen } = reader(blobs)
  await blobs.put('workers/one.json', word(1))
  await seen.look()
  clock.nowMs = 600_001
  await seen.look()

  expect(await Array.fromAsync(blobs.list('workers/'))).toEqual([])
})

test('of several one that is ready speaks for all; one that loads, or is not understood, speaks for none', async () => {
  const blobs = new FakeBlobs()
  const { seen } = reader(blobs)
  await blobs.put('workers/a.json', word(1, { phase: 'loading' }))
  await blobs.put('workers/b.json', '{"of": "another version"}')
  await seen.look()
  expect(seen.state()).toMatchObject({ phase: 'elsewhere', message: expect.stringContaining('None of 1') })

  await blobs.put('workers/c.json', word(1))
  await seen.look()
  expect(seen.state()).toEqual(READY)
})

test('who has been told to stop says so at once, and speaks for nobody any more', async () => {
  const blobs = new FakeBlobs()
  const { seen } = reader(blobs)
  const now = { state: READY, isEnding: false }
  const puts = writes(blobs)
  const begun = once(puts, 'put')
  await using _telling = tellOfWorker({ blobs, self: someone(now), everyMs: 600_000, log })
  await begun

  const toldAgain = once(puts, 'put')
  now.isEnding = true
  await toldAgain
  await seen.look()

  expect(seen.members()).toMatchObject([{ phase: 'ready', isEnding: true, isGone: false }])
  expect(seen.state().phase).toBe('elsewhere')
})

test('a worker’s load, name and times are what it told and when it did, by the clock of whoever reads', async () => {
  const blobs = new FakeBlobs()
  const { clock, seen } = reader(blobs)
  const load = { active: 3, waiting: 1, places: 8 }
  const more = { name: 'gpu-1', everyMs: 2000, isEnding: false, load }
  await blobs.put('workers/one.json', word(1, { phase: 'ready', facts: FACTS, ...more }))
  await seen.look()
  clock.nowMs = 5000
  await blobs.put('workers/one.json', word(2, { phase: 'loading', message: 'downloading', ...more }))
  await seen.look()
  clock.nowMs = 6500
  await seen.look()

  const told = { id: 'one', name: 'gpu-1', phase: 'loading', message: 'downloading', isEnding: false, load }
  expect(seen.members()).toEqual([{ ...told, knownMs: 6500, silentMs: 1500, isGone: false }])
})

test('who tells more often is missed sooner', async () => {
  const blobs = new FakeBlobs()
  const { clock, seen } = reader(blobs)
  await blobs.put('workers/often.json', word(1, { phase: 'ready', facts: FACTS, everyMs: 2000 }))
  await blobs.put('workers/seldom.json', word(1, { phase: 'ready', facts: FACTS, everyMs: 10_000 }))
  await seen.look()
  clock.nowMs = 7000

  expect(seen.members().map(({ id, isGone }) => [id, isGone])).toEqual([
    ['often', true],
    ['seldom', false],
  ])
})

test('who is started again under its name is not missed any more; of two with one name, the other’s life is no excuse', async () => {
  const blobs = new FakeBlobs()
  const { clock, seen } = reader(blobs)
  const told = (beat: number) => word(beat, { phase: 'ready', facts: FACTS, name: 'gpu-1', everyMs: 2000 })
  await blobs.put('workers/first.json', told(1))
  await blobs.put('workers/twin.json', told(1))
  await seen.look()
  clock.nowMs = 8000
  await blobs.put('workers/twin.json', told(2))
  await seen.look()
  const shown = () => seen.members().map(({ id, isGone }) => (isGone ? `${id} is gone` : id))
  expect(shown()).toEqual(['first is gone', 'twin'])

  await blobs.put('workers/second.json', told(1))
  await seen.look()

  expect(shown()).toEqual(['twin', 'second'])
})

test('a worker of a version that tells less is called by its id', async () => {
  const blobs = new FakeBlobs()
  const { seen } = reader(blobs)
  await blobs.put('workers/one.json', word(1))
  await seen.look()

  expect(seen.members()).toEqual([
    {
      id: 'one',
      name: 'one',
      phase: 'ready',
      facts: FACTS,
      isEnding: false,
      isGone: false,
      knownMs: 0,
      silentMs: 0,
    },
  ])
})

test('a server that looks at itself misses nothing', () => {
  const resting: EngineState = { phase: 'resting', message: 'it died five times', retryInSeconds: 60 }

  expect(ownMember(someone({ state: resting }), 90_000)).toEqual({
    id: 'one',
    name: 'gpu-1',
    phase: 'resting',
    message: 'it died five times',
    isEnding: false,
    load: IDLE,
    isGone: false,
    knownMs: 90_000,
    silentMs: 0,
  })
})

/** Says when something has been put. */
function writes(blobs: FakeBlobs): EventTarget {
  const target = new EventTarget()
  const put = blobs.put.bind(blobs)
  blobs.put = async (...call: Parameters<typeof put>) => {
    await put(...call)
    target.dispatchEvent(new Event('put'))
  }
  return target
}
