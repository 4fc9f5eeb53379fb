import { expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { errorOf, form, startParts } from './parts.ts'

const NOBODY = { phase: 'elsewhere', message: 'No worker has been heard of lately.' } as const

test.each(['/v1/models', '/v1/jobs', '/queue', '/docs', '/uploads', '/anything'])(
  'a worker has no %s, and says who has',
  async (path) => {
    await using server = await startParts({ ROLE: 'worker' })

    expect(await errorOf(await server.app.request(path))).toMatchObject({
      status: 404,
      code: 'not_found',
      message: expect.stringContaining('ROLE=api'),
    })
  },
)

test('a worker tells how it is, and lists nothing that it does not have', async () => {
  await using server = await startParts({ ROLE: 'worker' })

  for (const path of ['/livez', '/readyz', '/startupz', '/health', '/metrics']) {
    expect((await server.app.request(path)).status).toBe(200)
  }
  const { endpoints } = (await (await server.app.request('/')).json()) as { endpoints: object }
  expect(Object.keys(endpoints).map((endpoint) => endpoint.split(' ')[1])).toEqual(
    expect.arrayContaining(['/', '/health', '/livez', '/readyz', '/startupz', '/metrics']),
  )
  expect(Object.keys(endpoints)).toHaveLength(6)
})

test('where no worker is known, recordings are taken all the same, and health says that none is there', async () => {
  await using server = await startParts({ ROLE: 'api' })
  server.engine.state = NOBODY

  expect((await server.app.request('/readyz')).status).toBe(200)
  expect((await server.app.request('/startupz')).status).toBe(200)
  const health = await server.app.request('/health')
  expect(health.status).toBe(503)
  expect(await health.json()).toMatchObject({
    status: 'waiting',
    model_loaded: false,
    message: NOBODY.message,
  })
  for (const path of ['/v1/audio/transcriptions', '/v1/audio/translations']) {
    expect((await server.app.request(path, { method: 'POST', body: form() })).status).toBe(200)
  }
  const metrics = await (await server.app.request('/metrics')).text()
  expect(metrics).toContain('hviske_engine_state{state="elsewhere"} 1')
})

test('a queue that does not answer makes a server unready and leaves it alive', async () => {
  await using server = await startParts({}, {}, { isQueueReachable: () => false })

  const readiness = await server.app.request('/readyz')
  expect(readiness.status).toBe(503)
  expect(await readiness.json()).toEqual({
    status: 'not_ready',
    message: 'The queue of jobs does not answer.',
  })
  expect((await server.app.request('/livez')).status).toBe(200)
})

test.each([
  ['/v1/jobs', {}],
  ['/transcribe/async', {}],
  ['/v1/audio/transcriptions', { prefer: 'respond-async' }],
])('a job for a queue that does not answer is refused before it is sent: %s', async (path, headers) => {
  await using server = await startParts({ QUEUE_URL: 'redis://queue' }, {}, { isQueueReachable: () => false })
  let isRead = false
  const body = new ReadableStream({ pull: () => void (isRead = true) }, { highWaterMark: 0 })

  const init = { method: 'POST', headers, body, duplex: 'half' } as const
  const response = await server.app.request(path, init)

  expect(await errorOf(response)).toMatchObject({ status: 503, code: 'queue_unreachable' })
  expect(isRead).toBe(false)
})

test('who waits for an answer needs no queue: a whole server gives it by its own engine', async () => {
  await using server = await startParts({ QUEUE_URL: 'redis://queue' }, {}, { isQueueReachable: () => false })

  const response = await server.app.request('/v1/audio/transcriptions', { method: 'POST', body: form() })

  expect(response.status).toBe(200)
})

test('a recording for a queue that does not answer is refused before it is sent', async () => {
  await using server = await startParts({ ROLE: 'api' })
  server.door.requireRoom = () => {
    throw new Failure('queue_unreachable', 'The queue of jobs does not answer.')
  }

  const response = await server.app.request('/v1/audio/transcriptions', { method: 'POST', body: form() })

  expect(await errorOf(response)).toMatchObject({ status: 503, code: 'queue_unreachable' })
  expect(server.transcriber.asked).toEqual([])
})
