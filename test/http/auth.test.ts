import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { isOpen } from '../../src/http/auth.ts'
import { errorOf, form, startParts } from './parts.ts'

const KEY = 'sk-our-own-key'

let server: Awaited<ReturnType<typeof startParts>>
beforeAll(async () => {
  server = await startParts({ API_KEYS: `another-key ${KEY}`, CORS_ORIGINS: 'https://page.example' })
})
beforeEach(() => {
  server.logged.length = 0
  server.transcriber.asked.length = 0
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

const get = (path: string, headers: Record<string, string> = {}) => server.app.request(path, { headers })
const transcribe = (headers: Record<string, string> = {}) =>
  server.app.request('/v1/audio/transcriptions', { method: 'POST', body: form(), headers })

describe('with API_KEYS set', () => {
  test('every route but the open ones asks for a key, whoever added it', async () => {
    // A browser asks by OPTIONS before it may show a key.
    const routes = server.app.routes.filter(({ method }) => !['ALL', 'OPTIONS'].includes(method))
    const refused = async ({ method, path }: { method: string; path: string }) =>
      (await server.app.request(path.replace(/:\w+\{[^}]*\}/g, 'whisper-1'), { method })).status === 401

    const open = routes.filter(({ path }) => isOpen(path))
    const closed = routes.filter(({ path }) => !isOpen(path))

    expect(closed.length).toBeGreaterThan(4)
    expect(await Promise.all(closed.map(refused))).toEqual(closed.map(() => true))
    expect(await Promise.all(open.map(refused))).toEqual(open.map(() => false))
    expect(new Set(open.map(({ path }) => path.split('/')[1]))).toEqual(
      new Set(['', 'health', 'livez', 'readyz', 'startupz', 'docs', 'redoc', 'openapi.json', 'admin']),
    )
  })

  test.each(['/nowhere', '/v1/audio/speech', '/docsx', '/health/', '/v1/models/../models', '//health'])(
    '%s tells a stranger nothing, not even whether it is there',
    async (path) => {
      expect((await get(path)).status).toBe(401)
    },
  )

  test('a stranger is refused in OpenAI’s words, with all that every answer carries', async () => {
    const response = await transcribe()

    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(response.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
    expect(response.headers.get('openai-version')).toBe('2020-10-01')
    expect(response.headers.get('x-should-retry')).toBeNull()
    expect(await errorOf(response)).toEqual({
      status: 401,
      type: 'invalid_request_error',
      param: null,
      code: 'invalid_api_key',
      message: 'This server asks for an API key: send Authorization: Bearer KEY, or X-API-Key: KEY.',
    })
    expect(server.transcriber.asked).toEqual([])
  })

  test('a wrong key is refused without being repeated, in the answer or in the log', async () => {
    const response = await transcribe({ authorization: 'Bearer sk-typo' })
    const error = await errorOf(response)

    expect(error).toMatchObject({ status: 401, code: 'invalid_api_key' })
    expect(error.message).toBe('The API key is not one of those that this server knows.')
    expect(server.logged).toMatchObject([{ status: 401, code: 'invalid_api_key' }])
    expect(JSON.stringify([error, server.logged])).not.toContain('sk-typo')
  })

  test.each([
    [{ authorization: `Bearer ${KEY}` }],
    [{ authorization: `bearer   ${KEY}` }],
    [{ 'x-api-key': KEY }],
    [{ 'x-api-key': 'another-key' }],
    [{ authorization: 'Basic cHJveHk6cHJveHk=', 'x-api-key': KEY }],
    [{ authorization: 'Bearer none-needed', 'x-api-key': KEY }],
  ])('%o is let in', async (headers) => {
    expect((await transcribe(headers)).status).toBe(200)
    expect(JSON.stringify(server.logged)).not.toContain(KEY)
  })

  test.each([
    [{ authorization: `Basic ${KEY}` }],
    [{ authorization: 'Bearer ' }],
    [{ authorization: `Bearer ${KEY} ${KEY}` }],
    [{ authorization: KEY }],
    [{ 'x-api-key': '' }],
    [{ 'x-api-key': `${KEY},another-key` }],
    [{ cookie: `authorization=${KEY}` }],
  ])('%o is not', async (headers) => {
    expect((await transcribe(headers)).status).toBe(401)
  })

  test('work belongs to whose key it was, so that keys take turns', async () => {
    await transcribe({ 'x-api-key': KEY })
    await transcribe({ authorization: `Bearer ${KEY}` })
    await transcribe({ 'x-api-key': 'another-key' })

    const [first, second, third] = server.transcriber.asked.map(({ source }) => source.owner)
    expect(first).toMatch(/^[0-9a-f]{12}$/)
    expect(second).toBe(first)
    expect(third).not.toBe(first)
  })

  test('a page may ask beforehand without a key, and read that its key is wrong', async () => {
    const origin = 'https://page.example'
    const preflight = await server.app.request('/v1/audio/transcriptions', {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    })
    const refusal = await get('/v1/models', { origin, 'x-api-key': 'wrong' })

    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-origin')).toBe(origin)
    expect(refusal.status).toBe(401)
    expect(refusal.headers.get('access-control-allow-origin')).toBe(origin)
  })

  test('the document says where a key is needed, and how it is sent', async () => {
    const document = (await (await get('/openapi.json')).json()) as {
      components: { securitySchemes: Record<string, object> }
      paths: Record<string, Record<string, { security?: object[]; responses: object }>>
    }

    expect(document.components.securitySchemes).toEqual({
      bearer: { type: 'http', scheme: 'bearer' },
      apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
    })
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const { security, responses } of Object.values(operations)) {
        const isNamed = '401' in responses
        expect({ path, security, isNamed }).toEqual(
          isOpen(path)
            ? { path, isNamed: false }
            : { path, isNamed: true, security: [{ bearer: [] }, { apiKey: [] }] },
        )
      }
    }
  })
})

describe('without API_KEYS', () => {
  test('any key is as good as none, and nobody owns anything', async () => {
    await using open = await startParts()
    const headers = { authorization: 'Bearer none-needed' }

    const response = await open.app.request('/transcribe', { method: 'POST', body: form(), headers })

    expect(response.status).toBe(200)
    expect(open.transcriber.asked[0]?.source).not.toHaveProperty('owner')
  })

  test('the document says that a key is not needed', async () => {
    await using open = await startParts()

    const document = (await (await open.app.request('/openapi.json')).json()) as {
      paths: Record<string, Record<string, { security?: object[] }>>
    }

    expect(document.paths['/transcribe']?.post?.security).toContainEqual({})
  })
})
