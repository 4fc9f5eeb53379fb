// What a request with a recording is told before it has sent it.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { EngineState } from '../../src/engine/state.ts'
import { Failure } from '../../src/failure.ts'
import { errorOf, FACTS, startParts } from './parts.ts'

let server: Awaited<ReturnType<typeof startParts>>
beforeAll(async () => {
  server = await startParts()
})
beforeEach(() => {
  server.engine.state = { phase: 'ready', facts: FACTS }
  server.door.requireRoom = () => {}
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

/** A recording that never comes: only what is said before it can be the answer. */
async function postNothing(path: string) {
  let isRead = false
  const body = new ReadableStream(
    {
      pull: () => {
        isRead = true
        return new Promise<void>(() => {})
      },
    },
    { highWaterMark: 0 },
  )
  const headers = { 'content-type': 'multipart/form-data; boundary=b' }
  const init = { method: 'POST', body, headers, duplex: 'half' } as RequestInit // which the types do not know
  const response = await server.app.request(path, init)
  return { response, isRead }
}

const PATHS = ['/v1/audio/transcriptions', '/v1/audio/translations', '/transcribe', '/detect-language']

test.each(PATHS)('a full queue is told before a byte has been read: POST %s', async (path) => {
  server.door.requireRoom = () => {
    throw new Failure('queue_full', 'Full.', { retryAfterSeconds: 12.3 })
  }

  const { response, isRead } = await postNothing(path)

  expect(isRead).toBe(false)
  expect(response.headers.get('retry-after')).toBe('13')
  expect(response.headers.get('x-should-retry')).toBe('true')
  expect(await errorOf(response)).toMatchObject({ status: 503, code: 'queue_full' })
  expect(await server.leftovers()).toEqual([])
})

const loading = { phase: 'loading', message: 'reading the weights', fraction: null } as const

test.each<[string, EngineState, number, string, string | null]>([
  ['will be loading for long', { ...loading, readyInSeconds: 45 }, 503, 'engine_loading', '45'],
  ['will be loading for an hour', { ...loading, readyInSeconds: 3600 }, 503, 'engine_loading', '60'],
  ['cannot be started', { phase: 'failed', message: '/srv/model: no such file' }, 500, 'engine_failed', null],
  ['rests', { phase: 'resting', message: 'no', retryInSeconds: 41.2 }, 503, 'engine_resting', '42'],
  ['is stopping', { phase: 'stopped' }, 503, 'shutting_down', '10'],
])('an engine that %s', async (_what, state, status, code, retryAfter) => {
  server.engine.state = state

  const { response, isRead } = await postNothing('/transcribe')
  const error = await errorOf(response)

  expect(isRead).toBe(false)
  expect(response.headers.get('retry-after')).toBe(retryAfter)
  expect(error).toMatchObject({ status, code })
  expect(error.message).not.toContain('/srv')
})

test.each([{ ...loading, readyInSeconds: 20 }, loading])(
  'a model that is ready soon, or nobody knows when, is waited for: %o',
  async (state) => {
    server.engine.state = state
    const body = new FormData()
    body.append('file', new File(['audio'], 'a.wav'))

    expect((await server.app.request('/transcribe', { method: 'POST', body })).status).toBe(200)
  },
)
