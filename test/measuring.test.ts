// What the road and the engine's children tell, and what becomes of it.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createEngine } from '../src/engine/engine.ts'
import { Failure } from '../src/failure.ts'
import { measureChildren, measurePulses, measureRoad } from '../src/measuring.ts'
import { createMetrics, exposition } from '../src/metrics.ts'
import type { RoadObserver } from '../src/road-observer.ts'
import { collect } from '../src/transcript.ts'
import { all, child, SILENT, whole } from './engine/children.ts'
import { readExposition, valueOf } from './exposition.ts'
import { crash, DETECTED, DONE, NEVER, OPTIONS, road, twoWindows, untilAborted } from './road.ts'

let metrics: ReturnType<typeof createMetrics>
let clock: { nowMs: number }
beforeEach(() => {
  metrics = createMetrics()
  clock = { nowMs: 0 }
})
afterEach(() => void readExposition(exposition(metrics)))

const value = (name: string, labels = {}) => valueOf(readExposition(exposition(metrics)), name, labels)
const pass = (seconds: number) => (clock.nowMs += seconds * 1000)

test('a recording leaves its figures: what it waited, what it took, how long it was', async () => {
  const timings = { waitedSeconds: 0.5, vadSeconds: 0.1, encodeSeconds: 0.2, decodeSeconds: 0.4 }
  const observer = measureRoad(metrics)
  const { transcriber } = road({
    clock,
    observer,
    run: async function* () {
      pass(3)
      yield { kind: 'progress', processedSeconds: 1.5, durationSeconds: 2 }
      pass(1)
      yield { ...DONE, timings }
    },
  })

  await collect(transcriber.transcribe({ path: '/a' }, OPTIONS, NEVER))

  const asked = {
    hviske_recordings_total: 1,
    hviske_recording_seconds_sum: 2,
    hviske_heard_seconds_total: 2,
    hviske_engine_seconds_sum: 4,
    hviske_real_time_factor_sum: 2,
    hviske_windows_total: 2,
    hviske_slot_wait_seconds_sum: 0.5,
    hviske_decode_seconds_count: 1,
  }
  for (const [name, expected] of Object.entries(asked))
    expect({ name, is: value(name) }).toEqual({ name, is: expected })
  expect(value('hviske_engine_seconds_count', { task: 'transcribe' })).toBe(1)
  expect(value('hviske_model_seconds_total', { stage: 'encode' })).toBe(0.2)
  expect(value('hviske_model_seconds_total', { stage: 'decode' })).toBe(0.4)
  expect(value('hviske_judged_texts_total', { verdict: 'dropped', reason: 'no_speech' })).toBe(1)
  expect(value('hviske_judged_texts_total', { verdict: 'warned', reason: 'unsure' })).toBe(1)
})

test('no second of audio counts twice, although reports of progress may repeat themselves or fall back', async () => {
  const { transcriber } = road({
    observer: measureRoad(metrics),
    run: async function* () {
      for (const processedSeconds of [1.5, 1.5, 1, 1.75])
        yield { kind: 'progress', processedSeconds, durationSeconds: 2 }
      yield { ...DONE, durationSeconds: 1.5 }
    },
  })

  await collect(transcriber.transcribe({ path: '/a' }, OPTIONS, NEVER))

  expect(value('hviske_heard_seconds_total')).toBe(1.75)
})

test('waiting is measured of who gets a turn and of who leaves', async () => {
  const { transcriber, transcribing } = road({ clock, observer: measureRoad(metrics) })
  const turn = await transcribing.enter({}, NEVER)
  const leaving = new AbortController()
  const first = collect(transcriber.transcribe({ path: '/a' }, OPTIONS, NEVER))
  const second = collect(transcriber.transcribe({ path: '/b' }, OPTIONS, leaving.signal))
  await expect.poll(() => transcribing.state().waiting).toBe(2)

  pass(5)
  leaving.abort(new Error('left'))
  await expect(second).rejects.toThrow('left')
  pass(2)
  turn[Symbol.dispose]()
  await first

  expect(value('hviske_queue_wait_seconds_count', { queue: 'engine' })).toBe(2)
  expect(value('hviske_queue_wait_seconds_sum', { queue: 'engine' })).toBe(12)
  expect(value('hviske_recordings_total')).toBe(1)
})

test.each([
  ['a crash', crash, 'gone'],
  ['a client that leaves', untilAborted, 'left'],
])('%s costs engine time, and gives no recording', async (_what, run, why) => {
  const leaving = new AbortController()
  const { transcriber } = road({ clock, observer: measureRoad(metrics), run })

  const events = transcriber.transcribe({ path: '/a' }, OPTIONS, leaving.signal)[Symbol.asyncIterator]()
  await events.next() // decoded
  await events.next() // the engine has begun
  leaving.abort(new Error('left'))
  await expect(events.next()).rejects.toThrow(why)

  expect(value('hviske_engine_seconds_count', { task: 'transcribe' })).toBe(1)
  expect(value('hviske_recordings_total')).toBe(0)
  expect(value('hviske_real_time_factor_count')).toBeUndefined()
})

test('finding a language is measured as such', async () => {
  const { transcriber } = road({ clock, observer: measureRoad(metrics) })

  expect(await transcriber.detectLanguage({ path: '/a' }, NEVER)).toMatchObject(DETECTED)

  expect(value('hviske_engine_seconds_count', { task: 'detect_language' })).toBe(1)
  expect(value('hviske_heard_seconds_total')).toBe(2)
})

test('a decoding that was given up is not taken for one that ended', async () => {
  const told: string[] = []
  const observer: RoadObserver = { ...measureRoad(metrics), decoded: () => void told.push('decoded') }
  const { transcriber, slow } = road({ observer, run: twoWindows })
  const work = collect(transcriber.transcribe({ path: '/slow' }, OPTIONS, NEVER))

  slow.break(new Failure('invalid_audio', 'broken'))
  await expect(work).rejects.toThrow('broken')

  expect(told).toEqual([])
})

test('a source’s own observer is told beside everybody’s', async () => {
  const waited: string[] = []
  const { transcriber } = road({ observer: measureRoad(metrics) })
  const observer = { ...measureRoad(createMetrics()), waited: (queue: string) => void waited.push(queue) }

  await collect(transcriber.transcribe({ path: '/a', observer }, OPTIONS, NEVER))

  expect(waited).toEqual(['decoding', 'engine'])
  expect(value('hviske_recordings_total')).toBe(1)
})

test('every start and end of a child is counted, and how long it loaded', async () => {
  const quick = { nowMs: Date.now, random: () => 0, sleep: async () => {} }
  const onChild = measureChildren(metrics, () => clock.nowMs)
  const engine = createEngine({ command: child('dies-when-told'), log: SILENT, clock: quick, onChild })
  const ask = (path: string) => all(engine.run({ ...OPTIONS, pcm: whole(path) }, NEVER))
  await engine.start()

  await expect(ask('/die')).rejects.toThrow('stopped twice')
  await ask('/a')

  expect(value('hviske_engine_starts_total')).toBe(3)
  expect(value('hviske_engine_exits_total', { phase: 'ready' })).toBe(2)
  expect(value('hviske_engine_exits_total', { phase: 'loading' })).toBe(0)
  expect(value('hviske_engine_last_load_seconds')).toBe(0)
  await engine.stop()
})

test('a child that ends before it is ready counts as one that was loading', async () => {
  const exited = Promise.withResolvers<void>()
  const ready = Promise.reject(new Error('no model'))

  measureChildren(metrics)({ ready, exited: exited.promise })
  exited.resolve()
  await exited.promise

  expect(value('hviske_engine_exits_total', { phase: 'loading' })).toBe(1)
  expect(value('hviske_engine_last_load_seconds')).toBeUndefined()
})

test('each heartbeat says how full the batches have been, and what the GPU’s memory holds', () => {
  const measure = measurePulses(metrics)
  measure({ steps: 10, slotSteps: 35, windowsWaiting: 3, gpu: { reservedBytes: 5, totalBytes: 9 } })

  expect(value('hviske_decoder_steps_total')).toBe(10)
  expect(value('hviske_decoder_slot_steps_total')).toBe(35)
  expect(value('hviske_windows_waiting')).toBe(3)
  expect(value('hviske_gpu_memory_bytes', { state: 'reserved' })).toBe(5)
  expect(value('hviske_gpu_memory_bytes', { state: 'total' })).toBe(9)

  measure({ steps: 1, slotSteps: 1, windowsWaiting: 0 }) // another child, without a GPU

  expect(value('hviske_decoder_steps_total')).toBe(1)
  expect(value('hviske_gpu_memory_bytes', { state: 'total' })).toBeUndefined()
})
