/** The dialect of the server whose document is quoted; its error bodies it does not show, so ours stay in OpenAI's shape. */
import { expect, test } from 'vitest'
import { AsyncJob, AsyncJobStatus, CancelledJob } from '../../../src/http/jobs/job-schemas.ts'
import { TranscribeResponse } from '../../../src/http/response-schemas.ts'
import { begin, complete } from '../../jobs/working.ts'
import { errorOf, form } from '../parts.ts'
import { fieldsOnly, startJobs } from './job-server.ts'

async function start() {
  const server = await startJobs()
  const post = (fields: Record<string, string> = {}) =>
    server.request('/transcribe/async', { method: 'POST', body: form(fields) })
  return {
    ...server,
    post,
    async newJob() {
      return AsyncJob.parse(await (await post()).json()).job_id
    },
    status: async (id: string) =>
      AsyncJobStatus.parse(await (await server.request(`/jobs/${id}/status`)).json()),
    result: (id: string) => server.request(`/jobs/${id}/result`),
    cancel: (id: string) => server.request(`/jobs/${id}/cancel`, { method: 'POST' }),
  }
}

test('“POST /transcribe/async: Start an asynchronous transcription job (returns immediately with job ID)”', async () => {
  await using server = await start()

  const response = await server.post()

  // "job_id": "550e8400-…", "status": "pending", "message": "Transcription job started for audio.mp3"
  const body = (await response.json()) as { job_id: string }
  expect(response.status).toBe(200)
  expect(body).toEqual({
    job_id: expect.stringMatching(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/) as unknown,
    status: 'pending',
    message: 'Transcription job started for møde.wav',
  })
  expect(response.headers.get('x-job-id')).toBe(body.job_id)
  expect(response.headers.get('location')).toBe(`/jobs/${body.job_id}/status`)
})

test('“model (optional), language (optional), include_timestamps (optional)” mean what they mean for POST /transcribe', async () => {
  await using server = await start()

  await server.post({ model: 'parakeet', language: 'de', include_timestamps: 'false' })

  const [job] = await server.jobQueue.list({ limit: 1 })
  expect(job?.order.options).toMatchObject({ language: 'de', wantsWords: false })
  expect(await errorOf(await server.post({ language: 'klingon' }))).toMatchObject({
    status: 400,
    param: 'language',
  })
})

test('a job needs a recording', async () => {
  await using server = await start()

  const response = await server.request('/transcribe/async', {
    method: 'POST',
    body: fieldsOnly({ language: 'da' }),
  })

  expect(await errorOf(response)).toMatchObject({ status: 400, code: 'missing_file' })
})

test('“GET /jobs/{job_id}/status”: every member is always there, and null until it is known', async () => {
  await using server = await start()
  const id = await server.newJob()
  await begin(server.jobQueue)

  // "job_id", "status": "processing", "filename": "audio.mp3", "created_at", "completed_at": null, "error": null, "result": null
  expect(await server.status(id)).toEqual({
    job_id: id,
    status: 'processing',
    filename: 'møde.wav',
    created_at: '2026-09-21T14:13:20.000Z',
    completed_at: null,
    error: null,
    result: null,
  })
})

test('“pending, processing, completed, failed, cancelled” are the statuses', async () => {
  await using server = await start()
  const seen: string[] = []
  const look = async (id: string) => void seen.push((await server.status(id)).status)
  const first = await server.newJob()
  await look(first)
  const lease = await begin(server.jobQueue)
  await look(first)
  await complete(lease, server.blobs)
  await look(first)
  const second = await server.newJob()
  await (await begin(server.jobQueue)).fail({ code: 'invalid_audio', message: 'Not audio.', param: 'file' })
  await look(second)
  const third = await server.newJob()
  await server.cancel(third)
  await look(third)

  expect(seen).toEqual(['pending', 'processing', 'completed', 'failed', 'cancelled'])
  expect(await server.status(first)).toMatchObject({
    completed_at: '2026-09-21T14:13:20.000Z',
    result: { text: 'Toget kører klokken otte.' },
  })
  // The document's client prints it: f"Job failed: {status['error']}"
  expect(await server.status(second)).toMatchObject({ error: 'Not audio.', result: null })
})

test('“GET /jobs/{job_id}/result”: text, segments, filename, timestamp, as POST /transcribe has them', async () => {
  await using server = await start()
  const id = await server.newJob()
  await complete(await begin(server.jobQueue), server.blobs)

  const response = await server.result(id)

  const result = TranscribeResponse.parse(await response.json())
  expect(response.status).toBe(200)
  expect(result).toMatchObject({
    text: 'Toget kører klokken otte.',
    segments: [
      { start: 0, end: 0.9, text: 'Toget kører' },
      { start: 1, end: 1.9, text: 'klokken otte.' },
    ],
    filename: 'møde.wav',
    timestamp: '2026-09-21T14:13:20.000Z',
  })
  const waited = await server.request('/transcribe', { method: 'POST', body: form() })
  const { timestamp: _first, ...same } = TranscribeResponse.parse(await waited.json())
  const { timestamp: _second, ...told } = result
  expect(told).toEqual(same)
})

test('without timestamps the result has none', async () => {
  await using server = await start()
  await server.post({ include_timestamps: 'false' })
  const lease = await begin(server.jobQueue)
  await complete(lease, server.blobs)

  const result: unknown = await (await server.result(lease.job.order.id)).json()

  expect(TranscribeResponse.parse(result)).not.toHaveProperty('segments')
  expect(result).not.toHaveProperty('words')
})

test('“400: Job not yet completed (still pending/processing)”', async () => {
  await using server = await start()
  const id = await server.newJob()

  expect(await errorOf(await server.result(id))).toMatchObject({ status: 400, code: 'job_not_completed' })
  await begin(server.jobQueue)
  expect(await errorOf(await server.result(id))).toMatchObject({ status: 400, code: 'job_not_completed' })
})

test('“404: Job not found”', async () => {
  await using server = await start()
  const nobody = crypto.randomUUID()

  for (const response of [
    await server.request(`/jobs/${nobody}/status`),
    await server.result(nobody),
    await server.cancel(nobody),
    await server.result('7'),
  ]) {
    expect(await errorOf(response)).toMatchObject({ status: 404, code: 'job_not_found' })
  }
})

test('“500: Job failed (includes error message)”, whosever fault it was; SDKs need not ask again', async () => {
  await using server = await start()
  const id = await server.newJob()
  await (await begin(server.jobQueue)).fail({ code: 'invalid_audio', message: 'Not audio.', param: 'file' })

  const response = await server.result(id)

  expect(response.headers.get('x-should-retry')).toBe('false')
  expect(await errorOf(response)).toMatchObject({
    status: 500,
    code: 'job_failed',
    message: 'The transcription job failed: Not audio.',
  })
  expect(server.errors()).toEqual([]) // it was told to the log when it failed
})

test('“POST /jobs/{job_id}/cancel”: "Job 550e8400-… cancelled"', async () => {
  await using server = await start()
  const id = await server.newJob()

  const response = await server.cancel(id)

  expect(response.status).toBe(200)
  expect(CancelledJob.parse(await response.json())).toEqual({
    message: `Job ${id} cancelled`,
    status: 'cancelled',
  })
})

test('“400: Cannot cancel job (already completed/failed/cancelled)”', async () => {
  await using server = await start()
  const [cancelled, completed, failed] = [await server.newJob(), await server.newJob(), await server.newJob()]
  await server.cancel(cancelled)
  await complete(await begin(server.jobQueue), server.blobs)
  await (await begin(server.jobQueue)).fail({ code: 'invalid_audio', message: 'Not audio.', param: 'file' })

  for (const [id, state] of Object.entries({
    [cancelled]: 'cancelled',
    [completed]: 'completed',
    [failed]: 'failed',
  })) {
    const error = await errorOf(await server.cancel(id))
    expect(error).toMatchObject({ status: 400, code: 'job_not_cancellable' })
    expect(error.message).toContain(`it is ${state}`)
  }
})

test('the job of one dialect is the job of all', async () => {
  await using server = await start()
  const id = await server.newJob()

  for (const path of [`/v1/jobs/${id}`, `/status/${id}`, `/jobs/${id}/status`]) {
    const response = await server.request(path)
    expect(response.headers.get('x-job-id')).toBe(id)
    expect(await response.json()).toMatchObject({ status: 'pending' })
  }
})
