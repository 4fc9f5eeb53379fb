import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { createJobTranscriber } from '../../src/jobs/job-transcriber.ts'
import { readTranscript } from '../../src/jobs/stored-transcript.ts'
import type { AudioSource } from '../../src/transcriber.ts'
import type { TranscriptEvent } from '../../src/transcript.ts'
import { OPTIONS } from '../road.ts'
import { checkpointOf, NEVER, type Walk, WHOLE, Workplace } from './places.ts'

async function recording(): Promise<AudioSource> {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const path = join(directory, 'upload')
  await writeFile(path, 'RIFF')
  return { path, owner: 'key-1' }
}

async function* twoWindows() {
  yield { kind: 'checkpoint', checkpoint: checkpointOf(0, ' Toget') } as const
  yield { kind: 'checkpoint', checkpoint: checkpointOf(1, ' kører') } as const
  yield { kind: 'done', transcript: WHOLE } as const
}

function roadThrough(place: Workplace) {
  return createJobTranscriber({ queue: place.queue, blobs: place.blobs, nowMs: () => place.queue.nowMs })
}

async function expectNothingLeft(place: Workplace): Promise<void> {
  expect(await place.queue.list({ limit: 1 })).toEqual([])
  expect([...place.blobs.kept.keys()]).toEqual([])
}

test('a request becomes a job, and its windows are told as a worker finishes them', async () => {
  const place = new Workplace()
  await using _runner = place.start(twoWindows)

  const events = await Array.fromAsync(
    roadThrough(place).transcribe(await recording(), { ...OPTIONS, wantsDeltas: true }, NEVER),
  )

  expect(events.map(({ kind }) => kind)).toEqual([
    'delta',
    'segments',
    'progress',
    'delta',
    'segments',
    'progress',
    'decoded',
    'done',
  ])
  expect(events.at(-1)).toEqual({ kind: 'done', transcript: WHOLE })
  await expectNothingLeft(place)
})

test('a failure arrives as the worker told it', async () => {
  const place = new Workplace()
  const fails: Walk = async function* () {
    yield { kind: 'decoded', durationSeconds: 1 } as const
    throw new Failure('audio_too_short', 'too short', { param: 'file' })
  }
  await using _runner = place.start(fails)

  const events = Array.fromAsync(roadThrough(place).transcribe(await recording(), OPTIONS, NEVER))

  await expect(events).rejects.toMatchObject({ code: 'audio_too_short', message: 'too short', param: 'file' })
  await expectNothingLeft(place)
})

test('a client that leaves stops the worker', async () => {
  const place = new Workplace()
  const stopped = Promise.withResolvers<void>()
  await using _runner = place.start(async function* (_source, signal): AsyncGenerator<TranscriptEvent> {
    yield { kind: 'checkpoint', checkpoint: checkpointOf(0, ' Toget') }
    await new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        stopped.resolve()
        reject(signal.reason)
      })
    })
  })
  const leaving = new AbortController()
  const events = roadThrough(place)
    .transcribe(await recording(), OPTIONS, leaving.signal)
    [Symbol.asyncIterator]()
  await events.next()

  leaving.abort(new Error('left'))

  await events.next() // the progress beside what was told
  await expect(events.next()).rejects.toThrow('left')
  await stopped.promise
  await expectNothingLeft(place)
})

test('what an api that was killed has left is done, and its owner finds it', async () => {
  const place = new Workplace()
  await using _runner = place.start(twoWindows)
  const events = roadThrough(place)
    .transcribe(await recording(), OPTIONS, NEVER)
    [Symbol.asyncIterator]()

  await events.next() // and nobody asks for more, or says that he leaves

  const [job] = await place.queue.list({ owner: 'key-1', limit: 2 })
  expect(await place.ended(job?.order.id ?? '')).toBe('completed')
  const [done] = await place.queue.list({ owner: 'key-1', limit: 2 })
  expect(await readTranscript(place.blobs, String(done?.resultKey))).toEqual(WHOLE)
})

test('an operator who cancels it is heard', async () => {
  const place = new Workplace()
  const events = Array.fromAsync(roadThrough(place).transcribe(await recording(), OPTIONS, NEVER))
  await using lease = await place.queue.claim('interactive', NEVER)

  await place.queue.cancel(lease.job.order.id)

  await expect(events).rejects.toMatchObject({ code: 'job_cancelled' })
})

test('a worker that begins again cannot take back what was told', async () => {
  const place = new Workplace()
  await using _runner = place.start(async function* () {
    yield { kind: 'checkpoint', checkpoint: checkpointOf(0, ' Toget') } as const
    yield { kind: 'checkpoint', checkpoint: checkpointOf(0, ' Noget') } as const
    yield { kind: 'done', transcript: WHOLE } as const
  })

  const events = Array.fromAsync(roadThrough(place).transcribe(await recording(), OPTIONS, NEVER))

  await expect(events).rejects.toMatchObject({ code: 'engine_failed' })
})

test('deferred work waits in the other queue, and a language is found the same way', async () => {
  const place = new Workplace()
  const lanes: string[] = []
  const add = place.queue.add.bind(place.queue)
  place.queue.add = (order) => {
    lanes.push(`${order.lane} ${order.owner}`)
    return add(order)
  }
  await using _runner = place.start(twoWindows)
  const road = roadThrough(place)

  expect(await road.detectLanguage({ ...(await recording()), tier: 'deferred' }, NEVER)).toMatchObject({
    language: 'da',
  })
  await Array.fromAsync(road.transcribe(await recording(), OPTIONS, NEVER))

  expect(lanes).toEqual(['batch key-1', 'interactive key-1'])
  await expectNothingLeft(place)
})
