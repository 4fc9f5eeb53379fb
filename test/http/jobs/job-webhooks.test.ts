/** What a job tells of telling its client, who may see it, and what a second try promises. */
import { expect, test } from 'vitest'
import { ApiKeys } from '../../../src/api-keys.ts'
import { Failure } from '../../../src/failure.ts'
import { JobSchema } from '../../../src/http/jobs/job-schemas.ts'
import { audioKey } from '../../../src/jobs/blob-keys.ts'
import { deliverDue } from '../../../src/jobs/webhooks.ts'
import { begin, complete } from '../../jobs/working.ts'
import { errorOf } from '../parts.ts'
import { keyed, startJobs } from './job-server.ts'

test('a job whose recording has been deleted cannot be tried again', async () => {
  await using server = await startJobs()
  const { id } = await server.newJob()
  await server.jobQueue.cancel(id)
  await server.blobs.remove(audioKey(id))

  const error = await errorOf(await server.request(`/v1/jobs/${id}/retry`, { method: 'POST' }))

  expect(error).toMatchObject({ status: 410, code: 'recording_gone' })
  expect(await server.look(id)).toMatchObject({ status: 'cancelled' })
})

const CALLBACK = 'https://example.com/told?secret=1'

async function startCalling(keys: readonly string[] = []) {
  const ended: string[] = []
  const server = await startJobs(
    { requireCallbackAllowed: () => {}, onEnd: (id) => void ended.push(id) },
    { keys },
  )
  const tell = (status: number) =>
    deliverDue(
      {
        blobs: server.blobs,
        queue: server.jobQueue,
        secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
        post: async () => status,
        nowMs: () => server.jobQueue.nowMs,
        random: () => 0,
        log: server.parts.log,
      },
      new AbortController().signal,
    )
  return { ...server, ended, tell }
}

test('a job tells what became of telling its client, and each end is promised to be told', async () => {
  await using server = await startCalling()
  const { id } = await server.newJob({ callback_url: CALLBACK, keep_audio: 'true' })
  const webhook = async () => JobSchema.parse(await server.look(id)).webhook
  const at = server.jobQueue.nowMs / 1000

  expect(await webhook()).toEqual({ url: CALLBACK, status: 'pending', attempts: [] })
  await server.request(`/v1/jobs/${id}/cancel`, { method: 'POST' })
  expect(server.ended).toEqual([id])
  await server.tell(503)
  expect(await webhook()).toEqual({
    url: CALLBACK,
    status: 'pending',
    attempts: [{ at, status: 503 }],
    next_attempt_at: at + 5,
  })
  server.jobQueue.nowMs += 5000
  await server.tell(200)
  expect(await webhook()).toMatchObject({ status: 'delivered', attempts: [{ status: 503 }, { status: 200 }] })

  await server.request(`/v1/jobs/${id}/retry`, { method: 'POST' })
  expect(await webhook()).toEqual({ url: CALLBACK, status: 'pending', attempts: [] })
  await complete(await begin(server.jobQueue), server.blobs)
  await server.tell(200)
  expect(await webhook()).toMatchObject({ status: 'delivered', attempts: [{ status: 200 }] })
})

test('an operator sees whether somebody was told, and not where', async () => {
  await using server = await startCalling(['sk-admin'])
  const keys = new ApiKeys(['sk-admin'])
  Object.assign(server.parts.keys, {
    clientWith: async (key: string) => keys.clientWith(key) ?? { id: `id-${key}`, scopes: ['jobs' as const] },
  })
  const { id } = await server.newJob({ callback_url: CALLBACK }, keyed('sk-a'))
  const seenBy = async (key: string) => (await server.request(`/v1/jobs/${id}`, keyed(key))).json()

  expect(await seenBy('sk-a')).toMatchObject({ webhook: { url: CALLBACK } })
  expect((await seenBy('sk-admin')) as object).toMatchObject({ webhook: { status: 'pending' } })
  expect(JSON.stringify(await seenBy('sk-admin'))).not.toContain('secret=1')
})

test('with its job goes what was to be told', async () => {
  await using server = await startCalling()
  const { id } = await server.newJob({ callback_url: CALLBACK })

  await server.request(`/v1/jobs/${id}`, { method: 'DELETE' })

  expect([...server.blobs.kept.keys()]).toEqual([])
})

test('a callback_url that is refused is refused by its own name', async () => {
  await using server = await startJobs({
    requireCallbackAllowed: () => {
      throw new Failure('url_not_allowed', 'The url may not be fetched.', { param: 'url' })
    },
  })

  expect(await errorOf(await server.handIn({ callback_url: 'http://10.0.0.1/' }))).toMatchObject({
    status: 400,
    code: 'url_not_allowed',
    param: 'callback_url',
  })
})
