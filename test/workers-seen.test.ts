import { once } from 'node:events'
import { expect, test } from 'vitest'
import type { EngineState } from '../src/engine/state.ts'
import { tellOfWorker, WorkersSeen } from '../src/workers-seen.ts'
import { createLog } from '../src/log.ts'
import { FACTS } from './http/parts.ts'
import { FakeBlobs } from './jobs/fake-blobs.ts'

const log = createLog('silent')
const READY: EngineState = { phase: 'ready', facts: FACTS }

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

  const telling = tellOfWorker({ blobs, id: 'one', state: () => READY, log })
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
