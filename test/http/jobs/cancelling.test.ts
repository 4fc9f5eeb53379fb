// What becomes of a job that nobody wants any more, and of one that somebody wants again.
import { expect, test } from 'vitest'
import { JobSchema } from '../../../src/http/jobs/job-schemas.ts'
import { begin, complete } from '../../jobs/working.ts'
import { errorOf } from '../parts.ts'
import { startJobs } from './job-server.ts'

test('a job is cancelled while it waits and while it is worked on, and its worker is told', async () => {
  await using server = await startJobs()
  const [first, second] = [await server.newJob(), await server.newJob()]
  await using lease = await begin(server.jobQueue)

  for (const { id } of [first, second]) {
    const response = await server.request(`/v1/jobs/${id}/cancel`, { method: 'POST' })

    expect(response.headers.get('x-job-id')).toBe(id)
    expect(JobSchema.parse(await response.json())).toMatchObject({ id, status: 'cancelled' })
  }
  expect(lease.job.order.id).toBe(first.id)
  expect(lease.lost.aborted).toBe(true)
})

test('a job that has ended is not cancelled', async () => {
  await using server = await startJobs()
  const { id } = await server.newJob()
  await complete(await begin(server.jobQueue), server.blobs)

  const error = await errorOf(await server.request(`/v1/jobs/${id}/cancel`, { method: 'POST' }))

  expect(error).toMatchObject({ status: 400, code: 'job_not_cancellable' })
  expect(error.message).toContain('it is completed')
})

test('a failed and a cancelled job can be tried again, others cannot', async () => {
  await using server = await startJobs()
  const retry = (id: string) => server.request(`/v1/jobs/${id}/retry`, { method: 'POST' })
  const failed = await server.newJob()
  await (await begin(server.jobQueue)).fail({ code: 'engine_crashed', message: 'Crashed.', param: null })
  const cancelled = await server.newJob({ keep_audio: 'true' })
  await server.request(`/v1/jobs/${cancelled.id}/cancel`, { method: 'POST' })

  for (const { id } of [failed, cancelled]) {
    expect(JobSchema.parse(await (await retry(id)).json())).toMatchObject({ status: 'pending', error: null })
    expect(await errorOf(await retry(id))).toMatchObject({ status: 400, code: 'job_not_retryable' })
  }
})

test.each(['pending', 'processing'] as const)(
  'the recording of a %s job that is cancelled is gone with the answer, so it is not tried again',
  async (state) => {
    await using server = await startJobs()
    const { id } = await server.newJob()
    if (state === 'processing') await begin(server.jobQueue)

    const response = await server.request(`/v1/jobs/${id}/cancel`, { method: 'POST' })

    expect(response.status).toBe(200)
    expect([...server.blobs.kept.keys()]).toEqual([])
    const retried = await server.request(`/v1/jobs/${id}/retry`, { method: 'POST' })
    expect(await errorOf(retried)).toMatchObject({ status: 410, code: 'recording_gone' })
  },
)

test('a failed job is not cancelled, and its recording stays, so that it can be tried again', async () => {
  await using server = await startJobs()
  const { id } = await server.newJob()
  await (await begin(server.jobQueue)).fail({ code: 'engine_crashed', message: 'Crashed.', param: null })

  const error = await errorOf(await server.request(`/v1/jobs/${id}/cancel`, { method: 'POST' }))

  expect(error).toMatchObject({ status: 400, code: 'job_not_cancellable' })
  expect([...server.blobs.kept.keys()]).toEqual([`jobs/${id}/audio`])
})

test('what cannot be removed now is cancelled all the same', async () => {
  await using server = await startJobs()
  const { id } = await server.newJob()
  server.blobs.remove = () => Promise.reject(new Error('the store is away'))

  const response = await server.request(`/v1/jobs/${id}/cancel`, { method: 'POST' })

  expect(JobSchema.parse(await response.json())).toMatchObject({ id, status: 'cancelled' })
})
