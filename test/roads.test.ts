import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readConfig } from '../src/config.ts'
import { openDistantRoad } from '../src/distant-road.ts'
import type { EngineState } from '../src/engine/state.ts'
import { translatingIfAble } from '../src/own-road.ts'
import type { TranscribeOptions, Transcriber } from '../src/transcriber.ts'
import { FACTS } from './http/parts.ts'
import { FakeBlobs } from './jobs/fake-blobs.ts'
import { FakeQueue } from './jobs/fake-queue.ts'

const OPTIONS: TranscribeOptions = {
  task: 'transcribe',
  temperature: 0,
  wantsWords: false,
  wantsLogprobs: false,
  wantsDeltas: false,
  wantsGuards: true,
}

function distantRoad() {
  const reachable = { now: true }
  const state: EngineState = { phase: 'elsewhere', message: 'nobody' }
  const road = openDistantRoad(readConfig({ MAX_CONCURRENT_TRANSCRIPTIONS: '1', MAX_QUEUE_SIZE: '0' }), {
    queue: new FakeQueue(),
    blobs: new FakeBlobs(),
    workers: { state: () => state, [Symbol.asyncDispose]: async () => {} },
    isQueueReachable: () => reachable.now,
  })
  return { road, reachable }
}

test('a road that leads to workers counts who is on it, and is full when its places are taken', async () => {
  const { road } = distantRoad()
  const directory = await mkdtemp(join(tmpdir(), 'hviske-road-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const path = join(directory, 'recording')
  await writeFile(path, 'audio')
  const leaving = new AbortController()
  road.requireRoom('realtime')

  const reading = Array.fromAsync(road.transcriber.transcribe({ path }, OPTIONS, leaving.signal))
  expect(road.queueState()).toEqual({ active: 0, waiting: 1 })
  expect(() => road.requireRoom('realtime')).toThrow('places for recordings are taken')

  leaving.abort(new Error('left'))
  await expect(reading).rejects.toThrow('left')
  expect(road.queueState()).toEqual({ active: 0, waiting: 0 })
  road.requireRoom('realtime')
})

test('a road whose queue does not answer takes nobody', () => {
  const { road, reachable } = distantRoad()
  reachable.now = false

  expect(() => road.requireRoom('realtime')).toThrow(
    expect.objectContaining({ code: 'queue_unreachable', retryAfterSeconds: 10 }),
  )
})

test('a worker whose model knows English only refuses a translation that an api has taken for it', () => {
  const asked: string[] = []
  const transcriber = {
    transcribe: (_source: unknown, { task }: TranscribeOptions) => {
      asked.push(task)
      return (async function* () {})()
    },
  } as unknown as Transcriber
  const state: EngineState = { phase: 'ready', facts: { ...FACTS, canTranslate: false } }
  const english = translatingIfAble(transcriber, { state: () => state })
  const { signal } = new AbortController()

  expect(() => english.transcribe({ path: '' }, { ...OPTIONS, task: 'translate' }, signal)).toThrow(
    expect.objectContaining({ code: 'translation_unsupported' }),
  )
  english.transcribe({ path: '' }, OPTIONS, signal)
  expect(asked).toEqual(['transcribe'])
})
