import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { audioKey, blobsOfJob, deliveryLogKey, outboxKey, transcriptKey } from '../../src/jobs/blob-keys.ts'
import { type RetentionParts, startRetention, sweep } from '../../src/jobs/retention.ts'
import { createLog } from '../../src/log.ts'
import { NEVER, Workplace } from './places.ts'
import { complete } from './working.ts'

const HOUR_MS = 3_600_000

function retentionOf(place: Workplace, changes: Partial<RetentionParts> = {}): RetentionParts {
  const { queue, blobs } = place
  return {
    queue,
    blobs,
    keptSeconds: 7 * 86_400,
    nowMs: () => queue.nowMs,
    log: createLog('silent'),
    ...changes,
  }
}

async function completed(place: Workplace, changes = {}): Promise<string> {
  const id = await place.handIn(changes)
  await complete(await place.queue.claim('batch', NEVER), place.blobs)
  return id
}

test('a job is forgotten with all its blobs when its time is over, and not before', async () => {
  const place = new Workplace()
  const id = await completed(place)
  for (const key of [deliveryLogKey(id), outboxKey(id)]) await place.blobs.put(key, '{}')

  place.queue.nowMs += 7 * 24 * HOUR_MS
  await sweep(retentionOf(place))
  expect(await place.queue.find(id)).toBeDefined()

  place.queue.nowMs += 1
  await sweep(retentionOf(place))
  expect(await place.queue.find(id)).toBeUndefined()
  expect([...place.blobs.kept.keys()]).toEqual([])
})

test('hundreds expire at once', async () => {
  const place = new Workplace()
  for (let job = 0; job < 250; job++) await completed(place)

  place.queue.nowMs += 8 * 24 * HOUR_MS
  await sweep(retentionOf(place))

  expect(await place.queue.list({ limit: 1 })).toEqual([])
})

test('the recording goes when the job is completed, unless it is to be kept; the result stays', async () => {
  const place = new Workplace()
  const gone = await completed(place)
  const kept = await completed(place, { keepsAudio: true })

  await sweep(retentionOf(place))

  const keys = new Set(place.blobs.kept.keys())
  expect(keys).toEqual(new Set([transcriptKey(gone, 1), transcriptKey(kept, 1), audioKey(kept)]))
})

test('of a failed job the recording stays, so that it can be tried again; of a cancelled one it goes', async () => {
  const place = new Workplace()
  const failed = await place.handIn()
  const lease = await place.queue.claim('batch', NEVER)
  await lease.fail({ code: 'engine_crashed', message: 'gone', param: null })
  const cancelled = await place.handIn()
  await place.queue.cancel(cancelled)

  await sweep(retentionOf(place))

  expect([...place.blobs.kept.keys()]).toEqual([audioKey(failed)])
})

test('what waits or is worked on is left alone, however old it is', async () => {
  const place = new Workplace()
  const working = await place.handIn()
  const waiting = await place.handIn()
  const lease = await place.queue.claim('batch', NEVER)
  place.queue.nowMs += 365 * 24 * HOUR_MS

  await sweep(retentionOf(place))

  expect([...place.blobs.kept.keys()]).toEqual([audioKey(working), audioKey(waiting)])
  await lease.release()
})

test('the transcript of an attempt that was overtaken goes', async () => {
  const place = new Workplace()
  const id = await completed(place)
  await place.blobs.put(transcriptKey(id, 7), '{}')

  await sweep(retentionOf(place))

  expect([...place.blobs.kept.keys()]).toEqual([transcriptKey(id, 1)])
})

test('a recording whose job never came is removed when nobody can be bringing it any more', async () => {
  const place = new Workplace()
  const id = randomUUID()
  await place.blobs.put(audioKey(id), 'RIFF')
  const sweepAt = (nowMs: number) => sweep(retentionOf(place, { nowMs: () => nowMs }))

  await sweepAt(6 * HOUR_MS)
  expect([...place.blobs.kept.keys()]).toEqual([audioKey(id)])

  await sweepAt(6 * HOUR_MS + 1)
  expect([...place.blobs.kept.keys()]).toEqual([])
})

test('a sweep says what lies there afterwards', async () => {
  const place = new Workplace()
  await place.handIn()
  await place.handIn()

  expect(await sweep(retentionOf(place))).toEqual({ bytes: 8, blobs: 2 })
})

test('a job whose blobs cannot be removed is found again', async () => {
  const place = new Workplace()
  const id = await completed(place)
  place.queue.nowMs += 8 * 24 * HOUR_MS
  const remove = () => Promise.reject(new Error('away'))
  const blobs = { list: place.blobs.list.bind(place.blobs), remove }

  await expect(sweep(retentionOf(place, { blobs }))).rejects.toThrow('away')

  expect(await place.queue.find(id)).toBeDefined()
  expect([...place.blobs.kept.keys()].every((key) => key.startsWith(blobsOfJob(id)))).toBe(true)
})

test('what has expired goes before a job is begun, without a look at all that lies there', async () => {
  const place = new Workplace()
  const id = await completed(place)
  const beside = await place.handIn()
  await using retention = startRetention(retentionOf(place))
  await expect.poll(() => retention.stored()).toBeDefined()
  place.queue.nowMs += 8 * 24 * HOUR_MS
  const list = () => {
    throw new Error('listing is dear')
  }
  Object.assign(place.blobs, { list })

  await retention.forgetExpired()

  expect(await place.queue.find(id)).toBeUndefined()
  expect([...place.blobs.kept.keys()]).toEqual([audioKey(beside)])
})

test('when what has expired cannot be removed, the next job is begun all the same', async () => {
  const place = new Workplace()
  const endedBefore = () => Promise.reject(new Error('away'))
  const { find, forget } = { find: async () => undefined, forget: async () => {} }
  await using retention = startRetention(retentionOf(place, { queue: { find, forget, endedBefore } }))

  await expect(retention.forgetExpired()).resolves.toBeUndefined()
})

test('recordings beyond what may lie there are refused, until some are gone', async () => {
  const place = new Workplace()
  const first = await place.handIn() // 4 bytes
  await using retention = startRetention(retentionOf(place, { maxBytes: 10 }))

  await retention.requireRoom(6)
  await expect(retention.requireRoom(1)).rejects.toMatchObject({ code: 'insufficient_storage' })

  await place.blobs.remove(blobsOfJob(first))
  await expect(retention.requireRoom(7)).rejects.toMatchObject({ status: 507 }) // it has looked a moment ago
  place.queue.nowMs += 30_000
  await expect(retention.requireRoom(11)).rejects.toMatchObject({ status: 507 })
  await retention.requireRoom(10)
})

test('without a bound nobody is asked', async () => {
  await using retention = startRetention(retentionOf(new Workplace(), { maxBytes: 0 }))

  await expect(retention.requireRoom(Number.MAX_SAFE_INTEGER)).resolves.toBeUndefined()
})
