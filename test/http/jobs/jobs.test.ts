import { expect, test } from 'vitest'
import { DeletedJob, JobList, JobSchema } from '../../../src/http/jobs/job-schemas.ts'
import { ApiKeys } from '../../../src/api-keys.ts'
import { begin, complete, SPOKEN, windowOf } from '../../jobs/working.ts'
import { errorOf } from '../parts.ts'
import { keyed, startJobs } from './job-server.ts'

test('a pending job tells how many of its lane are before it', async () => {
  await using server = await startJobs()
  const ids = [await server.newJob(), await server.newJob({ lane: 'interactive' }), await server.newJob()]

  const positions = await Promise.all(ids.map(async ({ id }) => (await server.look(id)).position))

  expect(positions).toEqual([0, 0, 1])
})

test('a job that is worked on tells how far it is, what has been said, and when it should be done', async () => {
  await using server = await startJobs()
  const { id } = await server.newJob()
  await using lease = await begin(server.jobQueue)
  expect(await server.look(id)).not.toHaveProperty('eta_seconds')
  await lease.finishedWindow(windowOf(0, ' Toget kører'))
  server.jobQueue.nowMs += 5000

  const job = JobSchema.parse(await server.look(id))

  expect(job).toMatchObject({
    status: 'processing',
    attempts: 1,
    started_at: 1_790_000_000,
    processed_seconds: 10,
    duration_seconds: 40,
    percent: 25,
    eta_seconds: 15,
    partial_text: 'Toget kører',
  })
  expect(job).not.toHaveProperty('position')
})

test('of a job that was begun twice nobody knows when it will be done', async () => {
  await using server = await startJobs()
  const { id } = await server.newJob()
  const first = await begin(server.jobQueue)
  await first.fail({ code: 'engine_crashed', message: 'The engine crashed.', param: null })
  await server.jobQueue.retry(id)
  await using second = await begin(server.jobQueue)
  await second.finishedWindow(windowOf(0, ' Toget'))
  server.jobQueue.nowMs += 5000

  expect(await server.look(id)).not.toHaveProperty('eta_seconds')
})

test('what was heard again is not told twice, and only the end of a long text is', async () => {
  await using server = await startJobs()
  const { id } = await server.newJob()
  await using lease = await begin(server.jobQueue)
  for (const [number, text] of [' et', ' to'].entries()) await lease.finishedWindow(windowOf(number, text))
  await lease.finishedWindow(windowOf(1, ' tre'))
  expect(await server.look(id)).toMatchObject({ partial_text: 'et tre' })

  await lease.finishedWindow(windowOf(2, ` ${'ø'.repeat(3000)}`))

  expect((await server.look(id)).partial_text).toBe('ø'.repeat(2000))
})

test('a completed job tells when it will be forgotten', async () => {
  await using server = await startJobs({ keptSeconds: 3600 })
  const { id } = await server.newJob()
  server.jobQueue.nowMs += 60_000
  await complete(await begin(server.jobQueue), server.blobs)

  const job = JobSchema.parse(await server.look(id))

  expect(job).toMatchObject({ status: 'completed', percent: 100, ended_at: 1_790_000_060 })
  expect(job.expires_at).toBe(1_790_003_660)
  expect(job).not.toHaveProperty('partial_text')
})

test('a failed job tells why', async () => {
  await using server = await startJobs()
  const { id } = await server.newJob()
  const failure = { code: 'no_audio_track', message: 'The file has no sound.', param: 'file' }
  await (await begin(server.jobQueue)).fail(failure)

  expect(JobSchema.parse(await server.look(id))).toMatchObject({ status: 'failed', error: failure })
})

test('jobs are listed from the newest, page by page, each once', async () => {
  await using server = await startJobs()
  const ids: string[] = []
  for (let n = 0; n < 5; n++) ids.unshift((await server.newJob()).id)
  const page = async (query: string) =>
    JobList.parse(await (await server.request(`/v1/jobs?${query}`)).json())

  const first = await page('limit=2')
  const second = await page(`limit=2&after=${first.last_id}`)
  const third = await page(`limit=2&after=${second.last_id}`)

  expect([first, second, third].flatMap(({ data }) => data.map(({ id }) => id))).toEqual(ids)
  expect([first, second, third].map(({ has_more }) => has_more)).toEqual([true, true, false])
  expect([first.first_id, third.last_id]).toEqual([ids[0], ids[4]])
  expect(await page(`after=${ids[4]}`)).toEqual({
    object: 'list',
    data: [],
    first_id: null,
    last_id: null,
    has_more: false,
  })
})

test('a list does not name one of its jobs as its own', async () => {
  await using server = await startJobs()
  const { id } = await server.newJob()

  const response = await server.request(`/v1/jobs?after=${id}`)

  expect(response.headers.has('x-job-id')).toBe(false)
})

test('a list may be of some states only', async () => {
  await using server = await startJobs()
  const waits = await server.newJob({ lane: 'interactive' })
  const done = await server.newJob()
  await complete(await begin(server.jobQueue), server.blobs)
  const listed = async (query: string) =>
    JobList.parse(await (await server.request(`/v1/jobs?${query}`)).json()).data.map(({ id }) => id)

  expect(await listed('status=pending')).toEqual([waits.id])
  expect(await listed('status=completed,failed')).toEqual([done.id])
  expect(await listed('status=pending&status=completed')).toEqual([done.id, waits.id])
})

test.each([
  ['limit=0', 'limit'],
  ['limit=101', 'limit'],
  ['limit=x', 'limit'],
  ['status=done', 'status'],
  ['after=nobody', 'after'],
  ['all=perhaps', 'all'],
])('?%s is refused by name', async (query, param) => {
  await using server = await startJobs()

  expect(await errorOf(await server.request(`/v1/jobs?${query}`))).toMatchObject({ status: 400, param })
})

const OTHERS = [
  ['GET', ''],
  ['GET', '/result'],
  ['GET', '/events'],
  ['POST', '/cancel'],
  ['POST', '/retry'],
  ['DELETE', ''],
] as const

test.each(OTHERS)('%s /v1/jobs/{id}%s: another client’s job is as unknown as none', async (method, path) => {
  const scopes = (key: string) => ({ id: `id-${key}`, scopes: ['jobs' as const] })
  await using server = await startJobs({}, { keys: ['sk-admin'] })
  const keys = new ApiKeys(['sk-admin'])
  Object.assign(server.parts.keys, {
    clientWith: async (key: string) => keys.clientWith(key) ?? scopes(key),
  })
  const { id } = await server.newJob({}, keyed('sk-a'))
  const ask = async (who: string, what: string) =>
    server.request(`/v1/jobs/${what}${path}`, { method, ...keyed(who) })

  const [others, none, malformed] = await Promise.all([
    ask('sk-b', id),
    ask('sk-b', crypto.randomUUID()),
    ask('sk-b', 'x'.repeat(500)),
  ])

  for (const response of [others, none, malformed]) {
    expect(response.headers.has('x-job-id')).toBe(false)
    const error = await errorOf(response)
    expect(error).toMatchObject({ status: 404, code: 'job_not_found' })
    expect(error.message.length).toBeLessThan(200)
  }
  expect(await server.jobQueue.find(id)).toMatchObject({ state: 'pending' })
  const byOwner = await server.request(`/v1/jobs/${id}`, keyed('sk-a'))
  expect(await byOwner.json()).toMatchObject({ id, owner: 'id-sk-a' })
  expect((await ask('sk-admin', id)).status).not.toBe(404)
})

test('everybody’s jobs are listed for an operator who asks, and nobody else', async () => {
  await using server = await startJobs({}, { keys: ['sk-admin'] })
  const keys = new ApiKeys(['sk-admin'])
  Object.assign(server.parts.keys, {
    clientWith: async (key: string) => keys.clientWith(key) ?? { id: key, scopes: ['jobs'] },
  })
  const job = await server.newJob({}, keyed('sk-a'))
  const own = await server.newJob({}, keyed('sk-admin'))
  const ids = async (path: string, key: string) =>
    JobList.parse(await (await server.request(path, keyed(key))).json()).data.map(({ id }) => id)

  expect(await ids('/v1/jobs', 'sk-admin')).toEqual([own.id])
  expect(await ids('/v1/jobs?all=true', 'sk-admin')).toEqual([own.id, job.id])
  expect(await ids('/v1/jobs', 'sk-a')).toEqual([job.id])
  expect(await errorOf(await server.request('/v1/jobs?all=true', keyed('sk-a')))).toMatchObject({
    status: 403,
    code: 'insufficient_scope',
  })
})

test('where nobody needs a key, everybody is the operator', async () => {
  await using server = await startJobs()
  const job = await server.newJob()

  const list: unknown = await (await server.request('/v1/jobs?all=true')).json()

  expect(JobList.parse(list).data.map(({ id }) => id)).toEqual([job.id])
})

test.each(['pending', 'processing', 'completed'] as const)(
  'a %s job that is deleted leaves nothing: no record, no recording, no result',
  async (state) => {
    await using server = await startJobs()
    const kept = await server.newJob({ lane: 'interactive' })
    const { id } = await server.newJob()
    const lease = state === 'pending' ? undefined : await begin(server.jobQueue)
    if (lease && state === 'completed') await complete(lease, server.blobs, SPOKEN)

    const response = await server.request(`/v1/jobs/${id}`, { method: 'DELETE' })

    expect(DeletedJob.parse(await response.json())).toEqual({ id, object: 'job', deleted: true })
    const isTold = lease?.lost.aborted ?? false
    expect(isTold).toBe(state === 'processing')
    expect((await server.request(`/v1/jobs/${id}`)).status).toBe(404)
    expect([...server.blobs.kept.keys()]).toEqual([`jobs/${kept.id}/audio`])
  },
)

test.each([
  ['PUT', '/v1/jobs', 'GET, HEAD, POST'],
  ['GET', '/v1/jobs/7/cancel', 'POST'],
  ['POST', '/v1/jobs/7', 'GET, HEAD, DELETE'],
])('%s %s is a 405 that names what there is', async (method, path, allowed) => {
  await using server = await startJobs()

  const response = await server.request(path, { method })

  expect(response.status).toBe(405)
  expect(response.headers.get('allow')).toBe(allowed)
})
