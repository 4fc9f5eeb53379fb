import { expect, test } from 'vitest'
import { JobStateEvent, JobWindowEvent } from '../../../src/http/jobs/job-schemas.ts'
import { begin, complete, windowOf } from '../../jobs/working.ts'
import { errorOf, piecesOf } from '../parts.ts'
import { startJobs } from './job-server.ts'

const SILENCE_MS = 15_000

/** The whole body as events; pings are left out. */
function eventsOf(body: string) {
  return body
    .split('\n\n')
    .filter((block) => block !== '' && !block.startsWith(':'))
    .map((block) => {
      const [, id, event, data = ''] = /^id: (\d+)\nevent: (\w+)\ndata: (.*)$/.exec(block) ?? []
      return { id: Number(id), event, data: JSON.parse(data) as unknown }
    })
}

async function startWithStory() {
  const server = await startJobs()
  const { id } = await server.newJob()
  const lease = await begin(server.jobQueue)
  await lease.finishedWindow(windowOf(0, ' Toget'))
  await lease.finishedWindow(windowOf(1, ' kører'))
  const events = (last?: string, init: RequestInit = {}) =>
    server.request(`/v1/jobs/${id}/events`, {
      ...(last !== undefined && { headers: { 'last-event-id': last } }),
      ...init,
    })
  return { server, id, lease, events }
}

test('the events of a job are its states and its windows, numbered, until it has ended', async () => {
  const { server, id, lease, events } = await startWithStory()
  await using _server = server

  const response = await events()
  await complete(lease, server.blobs)
  const told = eventsOf(await response.text())

  expect(response.headers.get('content-type')).toBe('text/event-stream')
  expect(response.headers.get('x-job-id')).toBe(id)
  expect(response.headers.get('x-accel-buffering')).toBe('no')
  expect(told.map((event) => [event.id, event.event])).toEqual([
    [1, 'state'],
    [2, 'state'],
    [3, 'window'],
    [4, 'window'],
    [5, 'state'],
  ])
  expect(told.map(({ data }) => JobStateEvent.safeParse(data).data?.status).filter(Boolean)).toEqual([
    'pending',
    'processing',
    'completed',
  ])
  expect(JobWindowEvent.parse(told[3]?.data)).toEqual({
    window: 1,
    text: 'kører',
    segments: [{ id: 1, start: 10, end: 10.4, text: ' kører' }],
    processed_seconds: 20,
    duration_seconds: 40,
    percent: 50,
  })
})

test('a failed job’s last event says why', async () => {
  const { server, lease, events } = await startWithStory()
  await using _server = server
  const failure = { code: 'engine_crashed', message: 'The engine crashed.', param: null }
  await lease.fail(failure)

  expect(eventsOf(await (await events()).text()).at(-1)?.data).toEqual({ status: 'failed', error: failure })
})

test('who comes back with Last-Event-ID goes on after it', async () => {
  const { server, lease, events } = await startWithStory()
  await using _server = server
  await complete(lease, server.blobs)

  expect(eventsOf(await (await events('3')).text()).map(({ id }) => id)).toEqual([4, 5])
})

test('who has seen everything of an ended job is told not to come back', async () => {
  const { server, lease, events } = await startWithStory()
  await using _server = server
  await complete(lease, server.blobs)

  const response = await events('5')

  expect(response.status).toBe(204)
  expect(await response.text()).toBe('')
})

test.each(['x', '-1', '1.5', '9'.repeat(16)])('a Last-Event-ID of %s is refused', async (last) => {
  const { server, events } = await startWithStory()
  await using _server = server

  expect(await errorOf(await events(last))).toMatchObject({ status: 400, param: 'Last-Event-ID' })
})

test('a silence is filled with pings', async () => {
  const { server, lease, events } = await startWithStory()
  await using _server = server
  const response = events('4')
  await server.alarms.ring(SILENCE_MS)
  const pieces = piecesOf(await response)
  expect(await pieces.next()).toBe(': ping\n\n')
  const second = pieces.next()
  await server.alarms.ring(SILENCE_MS)
  expect(await second).toBe(': ping\n\n')
  const last = pieces.next()
  await complete(lease, server.blobs)

  expect(await last).toBe('id: 5\nevent: state\ndata: {"status":"completed"}\n\n')
  expect(await pieces.next()).toBeUndefined()
  expect(server.alarms.pending).toEqual([])
})

test('a reader who leaves is let go of, and the job goes on', async () => {
  const { server, id, events } = await startWithStory()
  await using _server = server
  const leaving = new AbortController()
  const pieces = piecesOf(await events(undefined, { signal: leaving.signal }))
  await pieces.next()
  expect(server.jobQueue.readers).toBe(1)

  leaving.abort()

  await expect.poll(() => server.jobQueue.readers).toBe(0)
  expect(server.alarms.pending).toEqual([])
  expect(await server.jobQueue.find(id)).toMatchObject({ state: 'processing' })
})

test('the stream of a job that is deleted ends', async () => {
  const { server, id, events } = await startWithStory()
  await using _server = server
  const response = await events()
  await server.request(`/v1/jobs/${id}`, { method: 'DELETE' })

  const told = eventsOf(await response.text())

  expect(JSON.stringify(told)).not.toMatch(/completed|failed|cancelled/)
  expect((await events()).status).toBe(404)
})

test('a queue that fails in the middle is told as the last event', async () => {
  const { server, events } = await startWithStory()
  await using _server = server
  server.jobQueue.events = async function* () {
    yield { number: 1, event: { kind: 'state', state: 'pending' } } as const
    throw new Error('the queue is gone')
  }

  const text = await (await events()).text()

  expect(text).toContain('event: error\ndata: {"error":{"message":"Something went wrong on our side.')
  expect(text).not.toContain('the queue is gone')
  expect(server.errors()).toHaveLength(1)
})
