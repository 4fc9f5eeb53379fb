// What a client meets of its limits over HTTP. How they count is tested on a clock of its own, in test/limits.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createHttpServer } from '../../src/http/listener.ts'
import { createChargingTranscriber } from '../../src/limits/charging-transcriber.ts'
import { ClientLimits } from '../../src/limits/client-limits.ts'
import { until } from '../../src/until.ts'
import { errorOf, form, startParts } from './parts.ts'

const KEYS = { API_KEYS: 'key-one key-two' }
const ONE = { 'x-api-key': 'key-one' }
const TWO = { 'x-api-key': 'key-two' }

type Server = Awaited<ReturnType<typeof startParts>>
const post = (server: Server, headers: Record<string, string>, path = '/v1/audio/transcriptions') =>
  Promise.resolve(server.app.request(path, { method: 'POST', body: form(), headers }))

const PATHS = ['/v1/audio/transcriptions', '/v1/audio/translations', '/transcribe', '/detect-language']

test.each(PATHS)(
  'a key that has had its requests is refused before its body is read: POST %s',
  async (path) => {
    await using server = await startParts({ ...KEYS, MAX_REQUESTS_PER_MINUTE: '2' })
    const [first, second] = [await post(server, ONE), await post(server, ONE)]
    let isRead = false
    const pull = () => {
      isRead = true
      return new Promise<void>(() => {})
    }
    const body = new ReadableStream({ pull }, { highWaterMark: 0 })
    const headers = { ...ONE, 'content-type': 'multipart/form-data; boundary=b' }
    const init = { method: 'POST', body, headers, duplex: 'half' } as RequestInit

    const refused = await server.app.request(path, init)

    const left = (response: Response) =>
      ['limit', 'remaining'].map((name) => response.headers.get(`x-ratelimit-${name}-requests`))
    expect([left(first), left(second), left(refused)]).toEqual([
      ['2', '1'],
      ['2', '0'],
      ['2', '0'],
    ])
    expect(first.headers.get('x-ratelimit-reset-requests')).toMatch(/^(59|60)s$/)
    expect(isRead).toBe(false)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60)
    expect(refused.headers.get('x-should-retry')).toBe('true')
    expect(await errorOf(refused)).toMatchObject({ status: 429, code: 'rate_limit_exceeded' })
    expect((await post(server, TWO)).status).toBe(200)
    expect(await server.leftovers()).toEqual([])
  },
)

test('without limits no answer speaks of them', async () => {
  await using server = await startParts(KEYS)

  const names = [...(await post(server, ONE)).headers.keys()]

  expect(names.filter((name) => name.startsWith('x-ratelimit'))).toEqual([])
})

test('what costs nothing is not counted', async () => {
  await using server = await startParts({ ...KEYS, MAX_REQUESTS_PER_MINUTE: '1' })

  for (let time = 0; time < 5; time++) {
    expect((await server.app.request('/v1/models', { headers: ONE })).status).toBe(200)
  }

  expect((await post(server, ONE)).status).toBe(200)
})

describe('with MAX_REQUESTS_AT_ONCE', () => {
  async function startBusy() {
    const server = await startParts({ ...KEYS, MAX_REQUESTS_AT_ONCE: '1' })
    const work = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    server.transcriber.before = async (_source, signal) => {
      begun.resolve()
      await until(work.promise, signal)
    }
    return { ...server, work, begun: begun.promise }
  }

  test('another request is refused until the first has ended, and other keys do not notice', async () => {
    await using server = await startBusy()
    const first = post(server, ONE)
    await server.begun

    const refused = await post(server, ONE)
    const other = post(server, TWO)
    server.work.resolve()

    expect(await errorOf(refused)).toMatchObject({ status: 429, code: 'rate_limit_exceeded' })
    expect(refused.headers.get('retry-after')).toBe('5')
    expect([(await first).status, (await other).status]).toEqual([200, 200])
    expect((await post(server, ONE)).status).toBe(200)
  })

  test.each([
    [
      'whose body is none',
      { method: 'POST', body: 'x', headers: { ...ONE, 'content-type': 'text/plain' } },
      415,
    ],
    ['whose tier is none', { method: 'POST', body: form({ transcription_tier: 'x' }), headers: ONE }, 400],
  ])('a request %s has ended, too', async (_what, init, status) => {
    await using server = await startParts({ ...KEYS, MAX_REQUESTS_AT_ONCE: '1' })

    expect((await server.app.request('/transcribe', init)).status).toBe(status)

    expect((await post(server, ONE)).status).toBe(200)
    expect(await server.leftovers()).toEqual([])
  })

  test('a stream counts until its last event', async () => {
    await using server = await startBusy()
    server.transcriber.before = async () => {}
    server.transcriber.onTheWay = async function* (signal) {
      yield { kind: 'delta', text: ' Toget' }
      await until(server.work.promise, signal)
    }
    const body = form({ stream: 'true' })
    const stream = await server.app.request('/v1/audio/transcriptions', {
      method: 'POST',
      body,
      headers: ONE,
    })

    expect((await post(server, ONE)).status).toBe(429)
    server.work.resolve()
    await stream.text()

    server.transcriber.onTheWay = async function* () {}
    expect((await post(server, ONE)).status).toBe(200)
  })
})

test('a day of audio that is used up is refused with the truth, and clients are told not to try again by themselves', async () => {
  const limits = new ClientLimits({ requestsPerMinute: 0, concurrentRequests: 0, audioSecondsPerDay: 2 })
  await using plain = await startParts()
  const transcriber = createChargingTranscriber(plain.transcriber, limits)
  await using server = await startParts(KEYS, {}, { limits, transcriber })
  expect((await post(server, ONE)).status).toBe(200) // its transcript is longer than 2 s

  const refused = await post(server, ONE)

  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(86_300)
  expect(refused.headers.get('x-should-retry')).toBe('false')
  expect(await errorOf(refused)).toMatchObject({ status: 429, code: 'rate_limit_exceeded' })
  expect((await post(server, TWO)).status).toBe(200)
})

describe('behind real connections', () => {
  async function listen(settings: Record<string, string>) {
    const server = await startParts(settings)
    const http = createHttpServer(server.app.fetch, server.parts.log)
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    onTestFinished(async () => {
      http.closeAllConnections()
      http.close()
      await server[Symbol.asyncDispose]()
    })
    const { port } = http.address() as AddressInfo
    return async (headers: Record<string, string>, path = '/v1/audio/transcriptions') => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method: 'POST',
        body: form(),
        headers,
      })
      await response.arrayBuffer()
      return response.status
    }
  }
  const from = (forwarded: string) => ({ 'x-forwarded-for': forwarded })

  test('where no key is needed addresses are the clients, as a trusted proxy tells them', async () => {
    const ask = await listen({ MAX_REQUESTS_PER_MINUTE: '1', TRUSTED_PROXIES: '127.0.0.0/8, 10.0.0.0/8' })

    expect(await ask(from('203.0.113.1'))).toBe(200)
    expect(await ask(from('203.0.113.1'))).toBe(429)
    expect(await ask(from('203.0.113.2'))).toBe(200)
    // A second proxy of ours in between, and what a client has made up before it.
    expect(await ask(from('203.0.113.3, 10.1.2.3'))).toBe(200)
    expect(await ask(from('198.51.100.7, 203.0.113.3, 10.1.2.3'))).toBe(429)
    // One IPv6 network is one client.
    expect(await ask(from('2001:db8:1:2::1'))).toBe(200)
    expect(await ask(from('2001:db8:1:2:ffff::9'))).toBe(429)
    expect(await ask(from('2001:db8:1:3::1'))).toBe(200)
    // Nobody says anything of use: it is the proxy's own.
    expect(await ask({})).toBe(200)
    expect(await ask(from('unknown'))).toBe(429)
  })

  test('nobody else is believed', async () => {
    const ask = await listen({ MAX_REQUESTS_PER_MINUTE: '1', TRUSTED_PROXIES: '10.0.0.0/8' })

    expect(await ask(from('203.0.113.1'))).toBe(200)
    expect(await ask(from('203.0.113.2'))).toBe(429)
  })

  test('whoever guesses keys is not listened to any more, and those who know theirs go on', async () => {
    const ask = await listen({ ...KEYS, MAX_FAILED_KEYS_PER_MINUTE: '3', TRUSTED_PROXIES: '127.0.0.1' })
    const guess = (forwarded: string) => ask({ ...from(forwarded), 'x-api-key': 'a-guess' })
    expect(await ask({ ...from('203.0.113.1'), ...ONE })).toBe(200)

    const guesses = [await guess('203.0.113.1'), await guess('203.0.113.1'), await guess('203.0.113.1')]

    expect(guesses).toEqual([401, 401, 401])
    expect(await guess('203.0.113.1')).toBe(429)
    expect(await ask({ ...from('203.0.113.1'), ...TWO })).toBe(429)
    expect(await ask({ ...from('203.0.113.1'), ...ONE })).toBe(200)
    expect(await ask(from('203.0.113.1'))).toBe(401) // without a key nothing is guessed
    expect(await ask({ ...from('203.0.113.2'), ...TWO })).toBe(200)
  })
})
