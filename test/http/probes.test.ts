// What starts, stops and feeds the server asks it, without a key and without the engine.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { EngineState } from '../../src/engine/state.ts'
import { Failure } from '../../src/failure.ts'
import * as schemas from '../../src/http/response-schemas.ts'
import { FACTS, startParts } from './parts.ts'

let server: Awaited<ReturnType<typeof startParts>>
beforeAll(async () => {
  server = await startParts({ API_KEYS: 'sk-our-own' })
})
beforeEach(() => {
  server.engine.state = { phase: 'ready', facts: FACTS }
  server.door.requireRoom = () => {}
  server.logged.length = 0
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

const probe = async (path: string) => {
  const response = await server.app.request(path)
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

const LOADING: EngineState = { phase: 'loading', message: 'downloading: model.safetensors', fraction: 0.25 }
const REBORN: EngineState = { phase: 'loading', message: 'restarting after a crash', fraction: null }
const RESTING: EngineState = { phase: 'resting', message: 'it died five times', retryInSeconds: 60 }
const FAILED: EngineState = { phase: 'failed', message: 'there is no such model' }

test.each<[string, EngineState]>([
  ['ready', { phase: 'ready', facts: FACTS }],
  ['loading', LOADING],
  ['given up', FAILED],
  ['stopped', { phase: 'stopped' }],
])('/livez is 200 while the engine is %s: the process answers', async (_what, state) => {
  server.engine.state = state

  expect(await probe('/livez')).toEqual({ status: 200, body: { status: 'alive' } })
})

test.each<[string, EngineState, number, string | undefined]>([
  ['ready', { phase: 'ready', facts: FACTS }, 200, undefined],
  ['loading', LOADING, 503, 'downloading: model.safetensors'],
  ['restarting', REBORN, 503, 'restarting after a crash'],
  ['given up', FAILED, 503, 'there is no such model'],
  ['resting', RESTING, 503, 'it died five times'],
  ['stopped', { phase: 'stopped' }, 503, 'The server is shutting down.'],
])('/readyz while the engine is %s', async (_what, state, status, message) => {
  server.engine.state = state

  const { body, ...answer } = await probe('/readyz')

  expect(answer.status).toBe(status)
  expect(schemas.Readiness.parse(body)).toEqual(
    message === undefined ? { status: 'ready' } : { status: 'not_ready', message },
  )
})

test('/readyz turns 503 as soon as the server has been told to stop, while the engine still works', async () => {
  server.door.requireRoom = () => {
    throw new Failure('shutting_down', 'The server is shutting down.')
  }

  expect(await probe('/readyz')).toEqual({
    status: 503,
    body: { status: 'not_ready', message: 'The server is shutting down.' },
  })
})

test('a full queue leaves it ready: whoever comes is told when to come back', async () => {
  server.door.requireRoom = () => {
    throw new Failure('queue_full', 'Full.', { retryAfterSeconds: 3 })
  }

  expect((await probe('/readyz')).status).toBe(200)
})

test('a bug in looking is not taken for readiness', async () => {
  server.door.requireRoom = () => {
    throw new TypeError('a bug')
  }

  expect((await probe('/readyz')).status).toBe(500)
})

test.each<[EngineState, number, object]>([
  [{ phase: 'ready', facts: FACTS }, 200, { status: 'started' }],
  [
    { ...LOADING, readyInSeconds: 61.2 },
    503,
    { status: 'loading', message: LOADING.message, fraction: 0.25, ready_in_seconds: 62 },
  ],
  [REBORN, 503, { status: 'loading', message: 'restarting after a crash' }],
  [FAILED, 503, { status: 'failed', message: 'there is no such model' }],
  [RESTING, 503, { status: 'failed', message: 'it died five times' }],
  [{ phase: 'stopped' }, 503, { status: 'failed', message: 'The server is shutting down.' }],
])('/startupz says how far it is: %o', async (state, status, expected) => {
  server.engine.state = state

  const answer = await probe('/startupz')

  expect(answer.status).toBe(status)
  expect(schemas.Startup.parse(answer.body)).toEqual(expected)
})

test.each(['/health', '/livez', '/readyz', '/startupz', '/metrics'])(
  '%s is asked every few seconds: the log says so only at debug',
  async (path) => {
    await server.app.request(path, { headers: { 'x-api-key': 'sk-our-own' } })

    expect(server.logged).toMatchObject([{ level: 'debug', message: 'request', path }])
  },
)

test.each(['/livez', '/readyz', '/startupz'])(
  '%s answers HEAD too, for balancers that send it',
  async (path) => {
    expect((await server.app.request(path, { method: 'HEAD' })).status).toBe(200)
  },
)
