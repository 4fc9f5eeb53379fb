import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Failure } from '../src/failure.ts'
import { errorOf, FACTS, form, startParts } from './http/parts.ts'

let server: Awaited<ReturnType<typeof startParts>>
beforeAll(async () => {
  server = await startParts()
})
beforeEach(() => {
  server.logged.length = 0
  server.transcriber.before = async () => {}
  server.engine.state = { phase: 'ready', facts: FACTS }
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

const transcribe = (headers: Record<string, string> = {}) =>
  server.app.request('/v1/audio/transcriptions', { method: 'POST', body: form(), headers })
const failWith = (error: Error) => {
  server.transcriber.before = async () => {
    throw error
  }
}

describe('an error', () => {
  test('that is a bug tells the client only an id, and the log everything', async () => {
    failWith(new Error('secret path /etc/x', { cause: new Error('deeper') }))

    const response = await transcribe()
    const error = await errorOf(response)

    expect(error).toMatchObject({ status: 500, type: 'server_error', param: null, code: 'internal_error' })
    expect(error.message).toContain(response.headers.get('x-request-id'))
    expect(error.message).not.toContain('secret')
    expect(server.logged).toContainEqual(
      expect.objectContaining({
        level: 'error',
        requestId: response.headers.get('x-request-id'),
        error: expect.objectContaining({
          message: 'secret path /etc/x',
          cause: expect.objectContaining({ message: 'deeper' }) as unknown,
        }) as unknown,
      }),
    )
  })

  test('of our own shows its message and hides its cause', async () => {
    failWith(new Failure('engine_crashed', 'The speech engine stopped.', { cause: new Error('SIGSEGV') }))

    const response = await transcribe()

    expect(response.status).toBe(500)
    expect(await response.json()).toEqual({
      error: {
        message: 'The speech engine stopped.',
        type: 'server_error',
        param: null,
        code: 'engine_crashed',
      },
    })
    expect(JSON.stringify(server.logged)).toContain('SIGSEGV')
  })

  test.each([
    ['OpenAI/JS 7.55.0', 'true'],
    ['OpenAI/JS 4.104.0', 'false'],
  ])('that is a full queue tells %s when to come back, and to retry: %s', async (agent, shouldRetry) => {
    failWith(new Failure('queue_full', 'Busy.', { retryAfterSeconds: 7 }))

    const response = await transcribe({ 'user-agent': agent })

    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('7')
    expect(response.headers.get('x-should-retry')).toBe(shouldRetry)
  })

  test('what takes the engine down is not to be asked again', async () => {
    failWith(new Failure('engine_crashed', 'Gone.'))

    const response = await transcribe({ 'user-agent': 'OpenAI/JS 7.55.0' })

    expect(response.headers.get('x-should-retry')).toBe('false')
  })

  test.each(['engine_failed', 'request_timeout'] as const)(
    'after which openai-node 4 would repeat an upload without its body tells it not to: %s',
    async (code) => {
      failWith(new Failure(code, 'Gone.'))

      const old = await transcribe({ 'user-agent': 'OpenAI/JS 4.104.0' })
      const current = await transcribe({ 'user-agent': 'OpenAI/JS 7.55.0' })

      expect(old.headers.get('x-should-retry')).toBe('false')
      expect(current.headers.get('x-should-retry')).toBeNull()
    },
  )

  test.each([
    ['GET', '/nowhere', 404, 'not_found', null],
    ['POST', '/v1/audio/speech', 404, 'not_found', null],
    ['GET', '/v1/audio/transcriptions', 405, 'method_not_allowed', 'POST'],
    ['PUT', '/v1/models/whisper-1', 405, 'method_not_allowed', 'GET, HEAD, DELETE'],
    ['POST', '/health', 405, 'method_not_allowed', 'GET, HEAD'],
    ['OPTIONS', '/transcribe', 405, 'method_not_allowed', 'POST'],
  ])('for %s %s is %i %s', async (method, path, status, code, allow) => {
    const response = await server.app.request(path, { method })

    expect(response.headers.get('allow')).toBe(allow)
    expect(await errorOf(response)).toMatchObject({ status, code, param: null })
  })
})

describe('every response', () => {
  test.each(['/', '/health', '/nowhere', '/v1/models', '/docs', '/openapi.json'])(
    'carries a request id: %s',
    async (path) => {
      expect((await server.app.request(path)).headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
    },
  )

  test("carries the client's own request id when it has a sane one", async () => {
    const answered = async (sent: string) =>
      (await server.app.request('/', { headers: { 'x-request-id': sent } })).headers.get('x-request-id')

    expect(await answered('my-id_7')).toBe('my-id_7')
    expect(await answered('bad id <script>')).toMatch(/^[\w-]{36}$/)
    expect(await answered('x'.repeat(300))).toMatch(/^[\w-]{36}$/)
  })

  test('carries both also when the route answered without Hono’s help', async () => {
    await using fresh = await startParts()
    fresh.app.get('/v1/raw', () => new Response('raw'))

    const { headers } = await fresh.app.request('/v1/raw')

    expect(headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
    expect(headers.get('openai-version')).toBe('2020-10-01')
  })

  test.each([
    ['/v1/models', '2020-10-01'],
    ['/v1/nowhere', '2020-10-01'],
    ['/health', null],
    ['/transcribe', null],
  ])('names the version of OpenAI’s API where it is theirs: %s', async (path, version) => {
    expect((await server.app.request(path)).headers.get('openai-version')).toBe(version)
  })

  test('says how long it took, errors included', async () => {
    expect((await server.app.request('/')).headers.get('openai-processing-ms')).toMatch(/^\d+$/)
    expect((await server.app.request('/nowhere')).headers.get('openai-processing-ms')).toMatch(/^\d+$/)
  })

  test('is one line in the log, which never holds what was said', async () => {
    const response = await transcribe()
    const { text } = (await response.json()) as { text: string }

    expect(server.logged).toHaveLength(1)
    expect(server.logged[0]).toMatchObject({
      level: 'info',
      message: 'request',
      method: 'POST',
      path: '/v1/audio/transcriptions',
      status: 200,
      requestId: response.headers.get('x-request-id'),
      bytes: expect.any(Number) as number,
    })
    expect(server.logged[0]?.bytes).toBeGreaterThan(0)
    expect(JSON.stringify(server.logged)).not.toContain(text.split(' ')[0])
  })

  test('names the failure in its log line', async () => {
    await server.app.request('/nowhere')

    expect(server.logged).toMatchObject([{ status: 404 }])
  })
})

describe('pages of other origins', () => {
  const origin = 'https://page.example'
  const ASKED =
    'authorization,content-type,x-api-key,idempotency-key,x-transcription-tier,prefer,x-stainless-retry-count'
  const EXPOSED = [
    'x-request-id',
    'openai-processing-ms',
    'openai-version',
    'retry-after',
    'x-should-retry',
    'location',
  ]

  test('are not let in unless configured', async () => {
    const response = await server.app.request('/', { headers: { origin } })

    expect(response.headers.get('access-control-allow-origin')).toBeNull()
  })

  test.each([
    [origin, origin],
    ['*', '*'],
    ['https://other.example', null],
  ])('are let in when CORS_ORIGINS is %s', async (CORS_ORIGINS, allowed) => {
    await using open = await startParts({ CORS_ORIGINS })

    const answer = await open.app.request('/nowhere', { headers: { origin } })
    const preflight = await open.app.request('/transcribe', {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': ASKED,
      },
    })

    expect(answer.headers.get('access-control-allow-origin')).toBe(allowed)
    for (const name of EXPOSED)
      expect(answer.headers.get('access-control-expose-headers')?.split(',')).toContain(name)
    expect(preflight.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
    expect(preflight.headers.get('access-control-allow-methods')?.split(',')).toEqual(
      expect.arrayContaining(['GET', 'POST', 'DELETE']),
    )
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-headers')).toBe(ASKED)
  })
})
