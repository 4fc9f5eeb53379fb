import { afterAll, beforeAll, expect, test } from 'vitest'
import { form, startParts } from './parts.ts'

let server: Awaited<ReturnType<typeof startParts>>
beforeAll(async () => {
  server = await startParts({ API_KEYS: 'key', CORS_ORIGINS: 'https://page.example' })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

const key = { 'x-api-key': 'key' }
const recording = (fields = {}) => ({ method: 'POST', headers: key, body: form(fields) })

test.each<[string, string, RequestInit]>([
  ['an answer', '/v1/models', { headers: key }],
  ['a transcript', '/v1/audio/transcriptions', recording()],
  ['a stream', '/v1/audio/transcriptions', recording({ stream: 'true' })],
  ['the front page', '/', {}],
  ['a stranger’s refusal', '/v1/models', {}],
  ['a path that is not there', '/nowhere', { headers: key }],
  ['a preflight', '/transcribe', { method: 'OPTIONS', headers: { origin: 'https://page.example' } }],
])('%s is nothing that a browser runs, frames or guesses at', async (_what, path, init) => {
  const { headers } = await server.app.request(path, init)

  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(headers.get('x-frame-options')).toBe('DENY')
  expect(headers.get('referrer-policy')).toBe('no-referrer')
  expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'")
})

test.each(['/docs', '/redoc'])('%s keeps the policy that its page needs', async (path) => {
  const { headers } = await server.app.request(path)

  expect(headers.get('content-security-policy')).toContain("script-src 'self'")
  expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
  expect(headers.get('x-content-type-options')).toBe('nosniff')
})

test('nobody on the way keeps a transcript', async () => {
  const transcript = await server.app.request('/v1/audio/transcriptions', recording())
  const script = await server.app.request('/docs/start.js')

  expect(transcript.headers.get('cache-control')).toBe('no-store')
  expect(script.headers.get('cache-control')).toBeNull()
})

test('a page may read what is left of its limits', async () => {
  const { headers } = await server.app.request('/v1/models', {
    headers: { ...key, origin: 'https://page.example' },
  })

  expect(headers.get('access-control-expose-headers')).toMatch(/x-ratelimit-remaining-requests/)
})
