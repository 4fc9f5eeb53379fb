import { expect, test } from 'vitest'
import { JobSchema } from '../../../src/http/jobs/job-schemas.ts'
import { begin, complete, SPOKEN } from '../../jobs/working.ts'
import { errorOf, form } from '../parts.ts'
import { startJobs } from './job-server.ts'

const PATHS = ['/v1/audio/transcriptions', '/v1/audio/translations', '/transcribe']

async function start() {
  const server = await startJobs()
  const post = (path: string, prefer: string, fields: Record<string, string> = {}, init: RequestInit = {}) =>
    server.request(path, {
      method: 'POST',
      body: form(fields),
      headers: { prefer, ...(init.headers as Record<string, string>) },
      ...(init.signal && { signal: init.signal }),
    })
  return { ...server, post }
}

test.each(PATHS)('%s: with Prefer: respond-async it is a job at once, and says where', async (path) => {
  await using server = await start()

  const response = await server.post(path, 'respond-async')

  const job = JobSchema.parse(await response.json())
  expect(response.status).toBe(202)
  expect(response.headers.get('preference-applied')).toBe('respond-async')
  expect(response.headers.get('location')).toBe(`/v1/jobs/${job.id}`)
  expect(response.headers.get('x-job-id')).toBe(job.id)
  expect(job).toMatchObject({ status: 'pending', lane: 'batch' })
  expect(server.transcriber.asked).toEqual([])
  expect(await server.leftovers()).toEqual([])
})

test.each([
  ['/v1/audio/transcriptions', { response_format: 'srt' }],
  ['/v1/audio/transcriptions', { response_format: 'verbose_json', 'timestamp_granularities[]': 'word' }],
  ['/v1/audio/translations', { response_format: 'text' }],
  ['/transcribe', {}],
])('%s: what is done within the wait is answered as if there had been no job', async (path, fields) => {
  await using server = await start()
  const isTranslation = path.endsWith('translations')
  const transcript = { ...SPOKEN, task: isTranslation ? ('translate' as const) : ('transcribe' as const) }
  server.transcriber.transcript = transcript
  const asking = server.post(path, 'respond-async, wait=30', fields)
  const lease = await begin(server.jobQueue, 'interactive')
  await complete(lease, server.blobs, transcript)

  const answer = await asking

  const waited = await server.request(path, { method: 'POST', body: form(fields) })
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe(waited.headers.get('content-type'))
  expect(answer.headers.get('x-job-id')).toBe(lease.job.order.id)
  expect(answer.headers.get('preference-applied')).toBe('respond-async, wait=30')
  const withoutTime = (text: string) => text.replace(/"timestamp":"[^"]+"/, '')
  expect(withoutTime(await answer.text())).toBe(withoutTime(await waited.text()))
  expect(server.alarms.pending).toEqual([])
  expect(server.jobQueue.readers).toBe(0)
})

test('what takes longer than the wait becomes a job that goes on', async () => {
  await using server = await start()
  const asking = server.post('/v1/audio/transcriptions', 'respond-async, wait=30')
  await begin(server.jobQueue, 'interactive')
  await server.alarms.ring(30_000)

  const response = await asking

  expect(response.status).toBe(202)
  expect(JobSchema.parse(await response.json())).toMatchObject({ status: 'pending', lane: 'interactive' })
  expect(server.jobQueue.readers).toBe(0)
})

test('what fails within the wait is answered with its failure, and its job', async () => {
  await using server = await start()
  const asking = server.post('/v1/audio/transcriptions', 'respond-async, wait=30')
  const lease = await begin(server.jobQueue, 'interactive')
  await lease.fail({ code: 'no_audio_track', message: 'The file has no sound.', param: 'file' })

  const response = await asking

  expect(response.headers.get('x-job-id')).toBe(lease.job.order.id)
  expect(await errorOf(response)).toMatchObject({ status: 400, code: 'no_audio_track', param: 'file' })
})

test('what is cancelled or deleted within the wait is told as it stands', async () => {
  await using server = await start()
  const ask = async () => {
    const asking = server.post('/transcribe', 'respond-async, wait=30')
    const { job } = await begin(server.jobQueue, 'interactive')
    return { asking, id: job.order.id }
  }
  const [first, second] = [await ask(), await ask()]
  await server.jobQueue.cancel(first.id)
  await server.jobQueue.forget(second.id)

  expect(await (await first.asking).json()).toMatchObject({ status: 'cancelled' })
  expect((await second.asking).status).toBe(404)
})

test('a client that leaves meanwhile leaves its job behind', async () => {
  await using server = await start()
  const leaving = new AbortController()
  const asking = server.post('/transcribe', 'respond-async, wait=30', {}, { signal: leaving.signal })
  const { job } = await begin(server.jobQueue, 'interactive')

  leaving.abort()

  await asking
  expect(server.jobQueue.readers).toBe(0)
  expect(server.alarms.pending).toEqual([])
  expect(await server.jobQueue.find(job.order.id)).toMatchObject({ state: 'processing' })
})

test('who asks again with the same Idempotency-Key collects the job', async () => {
  await using server = await start()
  const headers = { 'idempotency-key': 'monday' }
  const post = (prefer: string) => server.post('/v1/audio/transcriptions', prefer, {}, { headers })
  const first = await post('respond-async, wait=0')
  await complete(await begin(server.jobQueue), server.blobs)

  const again = await post('respond-async, wait=5')

  expect(first.status).toBe(202)
  expect(again.status).toBe(200)
  expect(again.headers.get('x-job-id')).toBe(first.headers.get('x-job-id'))
  expect(await again.json()).toMatchObject({ text: 'Toget kører klokken otte.' })
})

test.each([
  ['respond-async', 0],
  ['Respond-Async,wait=7', 7],
  ['wait=7, respond-async', 7],
  ['handling=lenient, respond-async; foo=bar, wait="7"', 7],
  ['respond-async, wait=7, wait=9', 7],
  ['respond-async, wait=soon', 0],
  ['respond-async, wait=100000', 300],
])('Prefer: %s waits for %d seconds', async (prefer, seconds) => {
  await using server = await start()
  const asking = server.post('/transcribe', prefer)
  if (seconds > 0) await server.alarms.ring(seconds * 1000)

  const applied = (await asking).headers.get('preference-applied')

  expect(applied).toBe(seconds > 0 ? `respond-async, wait=${seconds}` : 'respond-async')
})

test.each(['wait=30', 'return=minimal', 'no-respond-async', ''])('Prefer: %s is no job', async (prefer) => {
  await using server = await start()

  const response = await server.post('/transcribe', prefer)

  expect(response.status).toBe(200)
  expect(response.headers.has('preference-applied')).toBe(false)
  expect(await server.jobQueue.list({ limit: 1 })).toEqual([])
})

test('who says that nobody waits is not put before others, however long it would wait', async () => {
  await using server = await start()
  const asking = server.post('/transcribe', 'respond-async, wait=30', { transcription_tier: 'deferred' })
  await server.alarms.ring(30_000)

  expect(await (await asking).json()).toMatchObject({ lane: 'batch' })
})
