import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { afterwardsKey, audioKey, OUTBOX_BEGINNING, outboxKey } from '../../src/jobs/blob-keys.ts'
import { Failure } from '../../src/failure.ts'
import { type Draft, JobDesk } from '../../src/jobs/job-desk.ts'
import { deliveryOf } from '../../src/jobs/webhooks.ts'
import { silentTranscript, transcriptOf } from '../formats/transcripts.ts'
import { FakeBlobs } from './fake-blobs.ts'
import { FakeQueue } from './fake-queue.ts'
import { begin, complete } from './working.ts'

async function start() {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-desk-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const [queue, blobs] = [new FakeQueue(), new FakeBlobs()]
  const desk = new JobDesk({ queue, blobs, nowMs: () => queue.nowMs })
  let files = 0
  return {
    queue,
    blobs,
    desk,
    draft: async (changes: Partial<Draft> = {}, identity = 'abc'): Promise<Draft> => {
      const path = join(directory, `upload-${files++}`)
      await writeFile(path, identity)
      return {
        lane: 'batch',
        recording: { kind: 'file', path, sizeBytes: identity.length, identity },
        options: {
          task: 'transcribe',
          language: 'da',
          temperature: 0,
          wantsWords: true,
          wantsLogprobs: false,
          wantsDeltas: false,
          wantsGuards: true,
        },
        format: 'json',
        rendering: { hasWords: false, isForVexa: false, hasLogprobs: false, listsLanguages: false },
        metadata: {},
        keepsAudio: false,
        afterwards: [],
        ...changes,
      }
    },
  }
}

test('the recording lies under the job’s own key when the job can be found', async () => {
  const { desk, draft, blobs, queue } = await start()

  const { job, isNew } = await desk.handIn(await draft({ fileName: 'møde.wav' }))

  const { id } = job.order
  expect(isNew).toBe(true)
  expect(job.order).toMatchObject({
    input: { kind: 'blob', key: audioKey(id), sizeBytes: 3 },
    createdAtMs: queue.nowMs,
  })
  expect(blobs.kept.get(audioKey(id))?.toString()).toBe('abc')
})

const KEY = { idempotencyKey: 'monday' }

test('how a file is called, how much it hurries, and in which order things are said, makes no other order', async () => {
  const { desk, draft } = await start()
  const order = await draft({ ...KEY, metadata: { a: '1', b: '2' } })
  const first = await desk.handIn(order)

  const other = { fileName: 'x.wav', lane: 'interactive', metadata: { b: '2', a: '1' } } as const
  const again = await desk.handIn(await draft({ ...KEY, ...other }))

  expect(again).toMatchObject({ isNew: false, job: { order: { id: first.job.order.id } } })
})

test.each<[string, Partial<Draft>, string?]>([
  ['recording', {}, 'def'],
  ['metadata', { metadata: { a: '1' } }],
  ['format', { format: 'srt' }],
  ['place of the result', { s3Path: 'a' }],
  ['callback', { callbackUrl: 'https://example.com' }],
  ['steps', { afterwards: ['summary'] }],
  ['keeping', { keepsAudio: true }],
  ['source', { recording: { kind: 'url', url: 'https://example.com/a.wav' } }],
])('another %s is another order, and its recording does not stay', async (_what, changes, identity) => {
  const { desk, draft, blobs } = await start()
  const { job } = await desk.handIn(await draft(KEY))

  const refused = desk.handIn(await draft({ ...KEY, ...changes }, identity))

  await expect(refused).rejects.toMatchObject({ code: 'idempotency_key_reused', status: 409 })
  const recordings = [...blobs.kept.keys()].filter((key) => key.startsWith('jobs/'))
  expect(recordings).toEqual([audioKey(job.order.id)])
})

test('a queue that refuses leaves no recording behind', async () => {
  const { desk, draft, blobs, queue } = await start()
  queue.addFails = { error: new Error('the queue is gone'), isDone: false }

  await expect(desk.handIn(await draft())).rejects.toThrow('the queue is gone')

  expect([...blobs.kept.keys()]).toEqual([])
})

test('a job that was taken, though the word of it was lost, is handed in', async () => {
  const { desk, draft, blobs, queue } = await start()
  queue.addFails = { error: new Error('the connection broke'), isDone: true }

  const { job, isNew } = await desk.handIn(await draft())

  expect(isNew).toBe(true)
  expect([...blobs.kept.keys()]).toEqual([audioKey(job.order.id)])
})

test('while nobody can say whether it was taken, its recording stays', async () => {
  const { desk, draft, blobs, queue } = await start()
  queue.addFails = { error: new Error('the connection broke'), isDone: true }
  queue.find = async () => {
    throw new Error('still broken')
  }

  await expect(desk.handIn(await draft())).rejects.toThrow('the connection broke')

  expect(blobs.kept.size).toBe(1)
})

test('an earlier order is found among many, and only this owner’s', async () => {
  const { desk, draft, queue } = await start()
  const order = await draft({ ...KEY, owner: 'anna' })
  const { job } = await desk.handIn(order)
  for (let n = 0; n < 250; n++)
    await queue.add({ ...job.order, id: crypto.randomUUID(), idempotencyKey: `${n}` })

  expect(await desk.handedInBefore(order)).toMatchObject({ order: { id: job.order.id } })
  expect(await desk.handedInBefore({ ...order, owner: 'bo' })).toBeUndefined()
  expect(await desk.handedInBefore({ ...order, idempotencyKey: 'tuesday' })).toBeUndefined()
  await expect(desk.handedInBefore({ ...order, format: 'srt' })).rejects.toMatchObject({ status: 409 })
})

test.each([
  transcriptOf([' Rødgrød\u2028 med 💥 fløde.'], {
    languageProbability: 0.5,
    dropped: [{ reason: 'silence', startSeconds: 1, endSeconds: 2, text: ' Tak.' }],
  }),
  silentTranscript(),
])('a transcript comes back as it was laid down', async (transcript) => {
  const { desk, draft, blobs, queue } = await start()
  const { job } = await desk.handIn(await draft())
  await complete(await begin(queue), blobs, transcript)

  const ended = await queue.find(job.order.id)

  expect(await desk.transcriptOf(ended ?? job)).toEqual(transcript)
})

test('a blob that is no transcript is told, not shown', async () => {
  const { desk, draft, blobs, queue } = await start()
  const { job } = await desk.handIn(await draft())
  const lease = await begin(queue)
  await blobs.put('jobs/x', '{"text":7}')
  await lease.complete('jobs/x')

  await expect(desk.transcriptOf((await queue.find(job.order.id)) ?? job)).rejects.toThrow(/text/)
})

test('a recording for which there is no room is refused as such', async () => {
  const { desk, draft, blobs, queue } = await start()
  blobs.full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })

  await expect(desk.handIn(await draft())).rejects.toMatchObject({
    code: 'insufficient_storage',
    status: 507,
  })
  expect(await queue.list({ limit: 1 })).toEqual([])
})

test('only an ended job has what its steps have made', async () => {
  const { desk, draft, blobs, queue } = await start()
  const { job } = await desk.handIn(await draft({ afterwards: ['summary'] }))
  await blobs.put(afterwardsKey(job.order.id), JSON.stringify({ text: 'x', steps: [] }))
  expect(await desk.afterwardsOf(job)).toBeUndefined()

  await complete(await begin(queue), blobs)

  const ended = await queue.find(job.order.id)
  expect(ended && (await desk.afterwardsOf(ended))).toEqual({ text: 'x', steps: [] })
})

test('of an order that was a repetition no promise to tell of it stays', async () => {
  const { desk, draft, blobs } = await start()
  const order = { ...KEY, callbackUrl: 'https://example.com' }
  const { job } = await desk.handIn(await draft(order))

  await desk.handIn(await draft(order))

  const promises = [...blobs.kept.keys()].filter((key) => key.startsWith(OUTBOX_BEGINNING))
  expect(promises).toEqual([outboxKey(job.order.id)])
})

test('who is to be told of a second try is told although the process died in it, and not of the first end', async () => {
  const { desk, draft, blobs, queue } = await start()
  const { job } = await desk.handIn(await draft({ callbackUrl: 'https://example.com' }))
  const { id } = job.order
  await (await begin(queue)).fail({ code: 'engine_crashed', message: 'Crashed.', param: null })
  await blobs.remove(outboxKey(id)) // told
  const failed = await queue.find(id)
  queue.retry = () => Promise.reject(new Error('the process dies'))

  await expect(failed && desk.retry(failed)).rejects.toThrow('dies')

  const delivery = await deliveryOf({ blobs }, id)
  expect(delivery).toMatchObject({ state: 'due', attempts: [] })
  expect(delivery?.nextAtMs).toBeGreaterThanOrEqual(queue.nowMs + 60_000)
})

test('an order whose promise finds no room on the disk leaves no recording', async () => {
  const { desk, draft, blobs, queue } = await start()
  const put = blobs.put.bind(blobs)
  blobs.put = async (key, content) => {
    if (key.startsWith(OUTBOX_BEGINNING)) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    await put(key, content)
  }

  const handedIn = desk.handIn(await draft({ callbackUrl: 'https://example.com' }))

  await expect(handedIn).rejects.toMatchObject({ code: 'insufficient_storage' })
  expect([...blobs.kept.keys()]).toEqual([])
  expect(await queue.list({ limit: 1 })).toEqual([])
})

test('a recording beyond the bound is not laid down, and leaves no promise', async () => {
  const { draft, blobs, queue } = await start()
  const full = async (bytes: number) => {
    throw new Failure('insufficient_storage', `no room for ${bytes}`)
  }
  const desk = new JobDesk({ queue, blobs, nowMs: () => queue.nowMs, requireRoom: full })

  await expect(desk.handIn(await draft({ callbackUrl: 'https://example.com' }))).rejects.toThrow(
    'no room for 3',
  )
  expect(blobs.kept.size).toBe(0)
})
