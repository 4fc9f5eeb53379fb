/** What stands between a client and the server when Caddy does: what passes, what does not, and what is told of whom. */
import {
  createServer,
  type IncomingMessage,
  request as plainRequest,
  type Server,
  type ServerResponse,
} from 'node:http'
import { once } from 'node:events'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { fetch, type RequestInit } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../../src/until.ts'
import { form } from '../http/parts.ts'
import { CADDIES, type RunningCaddy, startCaddy } from './caddy.ts'
import { startStandIn } from './stand-in.ts'

const KEY = 'sk-the-right-one'
const QUERY_SECRET = 'in-the-query'

/** undici's fetch knows no FormData but its own. */
async function posted(fields: Record<string, string> = {}): Promise<RequestInit> {
  const { headers, body } = new Request('http://nowhere', { method: 'POST', body: form(fields) })
  const bytes = new Uint8Array(await new Response(body).arrayBuffer())
  return { method: 'POST', body: bytes, headers: { 'content-type': headers.get('content-type') ?? '' } }
}

describe.each(CADDIES)('through $name', (program) => {
  let server: Awaited<ReturnType<typeof startStandIn>>
  let caddy: RunningCaddy
  beforeAll(async () => {
    server = await startStandIn({ API_KEYS: KEY, METRICS: 'open', MAX_FAILED_KEYS_PER_MINUTE: '2' })
    caddy = await startCaddy(program, { UPSTREAMS: server.upstream })
  })
  afterAll(async () => {
    await caddy[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  const ask = (path: string, init: RequestInit = {}) => {
    const headers = { 'x-api-key': KEY, ...(init.headers as Record<string, string>) }
    return fetch(`${caddy.url}${path}`, { dispatcher: caddy.agent, redirect: 'manual', ...init, headers })
  }
  /** A path as it is, which `fetch` would tidy up; from an address of this machine's own. */
  const statusOf = async (path: string, headers = {}, localAddress = '127.0.0.1') => {
    const where = {
      host: '127.0.0.1',
      servername: 'localhost',
      port: caddy.port,
      path,
      ca: caddy.root,
      localAddress,
    }
    const asked = request({ ...where, headers: { host: 'localhost', 'x-api-key': KEY, ...headers } }).end()
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    return answer.resume().statusCode
  }

  test.each(['/metrics', '/admin/queue', '/admin/bull', '/lb-status', '/Metrics', '/metrics?a=1'])(
    '%s is not there for the internet, key or not',
    async (path) => {
      const answer = await ask(path)

      expect(answer.status).toBe(404)
      expect(answer.headers.get('content-type')).toBe('application/json')
      expect(answer.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
      expect(await answer.json()).toMatchObject({
        error: { type: 'invalid_request_error', param: null, code: 'not_found' },
      })
    },
  )

  test.each([
    '/%6detrics',
    '//metrics',
    '/./metrics',
    '/v1/../metrics',
    '/v1/%2e%2e/metrics',
    '/x/..%2fmetrics',
    '/v1/..\\metrics',
    '/\\metrics',
  ])('nor is it however it is spelled: %s', async (path) => {
    expect([400, 404]).toContain(await statusOf(path))
  })

  test('everything else that the server names is there', async () => {
    const { endpoints } = (await (await ask('/')).json()) as { endpoints: Record<string, string> }
    const paths = new Set(Object.keys(endpoints).map((endpoint) => endpoint.split(' ')[1] ?? ''))
    const hidden: string[] = []
    for (const path of paths) {
      const before = server.requestLines().length
      await (await ask(path.replaceAll(/[{}]/g, ''), { method: 'OPTIONS' })).body?.cancel()
      if (server.requestLines().length === before) hidden.push(path)
    }

    expect(hidden.filter((path) => path !== '/lb-status')).toEqual(['/admin/queue', '/metrics'])
  })

  test('plain HTTP is sent to HTTPS, and HTTP/3 is offered there', async () => {
    const plain = await fetch(`${caddy.plainUrl}/docs`, { redirect: 'manual' })
    const answer = await ask('/health')

    expect(plain.status).toBe(308)
    // Not CADDY_HTTPS_PORT: that is what a container listens on, and what leads there from outside Caddy does not know.
    expect(plain.headers.get('location')).toBe('https://localhost/docs')
    expect(answer.headers.get('alt-svc')).toContain(`h3=":${caddy.port}"`)
  })

  test('a request keeps its id, and gets one where it has none', async () => {
    const own = await ask('/v1/models', { headers: { 'x-request-id': 'my-own-id' } })
    const given = await ask('/v1/models')

    expect(own.headers.get('x-request-id')).toBe('my-own-id')
    const id = given.headers.get('x-request-id')
    expect(server.requestLines().at(-1)).toMatchObject({ requestId: id })
    await expect.poll(() => caddy.accesses().at(-1)).toContain(id)
  })

  test('neither keys nor queries are in the access log', async () => {
    const path = `/v1/models?token=${QUERY_SECRET}`
    await ask(path, {
      headers: { authorization: `Bearer ${KEY}`, cookie: `a=${QUERY_SECRET}`, 'x-mine': QUERY_SECRET },
    })

    await expect.poll(() => caddy.accesses().at(-1)).toContain('"uri":"/v1/models?…"')
    const lines = caddy.accesses().join('\n')
    expect(lines).not.toContain(KEY)
    expect(lines).not.toContain(QUERY_SECRET)
    expect(JSON.parse(caddy.accesses().at(-1) ?? '')).toMatchObject({
      status: 200,
      request: { method: 'GET' },
    })
  })

  test('who guesses keys is told apart by address, and cannot pass for another', async () => {
    const guess = (forwarded: string, address: string) => {
      const headers = { 'x-api-key': 'a-guess', 'x-forwarded-for': forwarded, forwarded: `for=${forwarded}` }
      return statusOf('/v1/models', headers, address)
    }
    const guesses = []
    for (const forwarded of ['198.51.100.1', '198.51.100.2', '127.0.0.6']) {
      guesses.push(await guess(forwarded, '127.0.0.5'))
    }

    expect(guesses).toEqual([401, 401, 429])
    expect(await guess('127.0.0.5', '127.0.0.6')).toBe(401)
  })

  test('each event arrives before the next one is made', async () => {
    const confirmed = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    server.transcriber.onTheWay = async function* (signal) {
      yield { kind: 'delta', text: ' Toget' }
      await until(confirmed[0]?.promise ?? Promise.reject(new Error()), signal)
      yield { kind: 'delta', text: ' kører' }
      await until(confirmed[1]?.promise ?? Promise.reject(new Error()), signal)
    }
    const answer = await ask('/v1/audio/transcriptions', await posted({ stream: 'true' }))
    const seen: string[] = []
    for await (const text of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
      seen.push(Buffer.from(text).toString())
      // Without these the next event is never made: an event held back would hold up everything.
      if (seen.join('').includes('Toget')) confirmed[0]?.resolve()
      if (seen.join('').includes('kører')) confirmed[1]?.resolve()
    }
    server.transcriber.onTheWay = async function* () {}

    expect(answer.headers.get('content-type')).toContain('text/event-stream')
    expect(seen.join('')).toContain('transcript.text.done')
  })

  test('who hangs up has its work given up', async () => {
    const asked = Promise.withResolvers<AbortSignal>()
    const left = Promise.withResolvers<void>()
    server.transcriber.before = async (_source, signal) => {
      asked.resolve(signal)
      signal.addEventListener('abort', () => left.resolve())
      await until(
        left.promise.then(() => signal.throwIfAborted()),
        signal,
      )
    }
    const hangUp = new AbortController()
    const answer = ask('/v1/audio/transcriptions', { ...(await posted()), signal: hangUp.signal })
    expect((await asked.promise).aborted).toBe(false)
    hangUp.abort()
    await expect(answer).rejects.toThrow('aborted')
    await left.promise
    server.transcriber.before = async () => {}

    expect((await asked.promise).aborted).toBe(true)
  })

  test('where an upload or a job is, is a path of the address that the client called', async () => {
    const tus = { 'tus-resumable': '1.0.0', 'upload-length': '5' }
    const upload = await ask('/uploads', { method: 'POST', headers: tus })
    const job = await ask('/v1/jobs', await posted())

    for (const answer of [upload, job]) {
      expect([201, 202]).toContain(answer.status)
      expect(new URL(answer.headers.get('location') ?? '', answer.url).origin).toBe(caddy.url)
      expect(answer.headers.get('location')).toMatch(/^\//)
    }
  })
})

/** As UPSTREAMS has it. */
async function addressOf(server: Server): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe.each(CADDIES)('behind $name', (program) => {
  test('of two servers one may be down: nobody notices', async () => {
    const isHeld = Promise.withResolvers<void>()
    const held: ServerResponse[] = []
    const good = createServer((asked, answer) => {
      if (asked.url !== '/held') return void answer.end()
      held.push(answer)
      isHeld.resolve()
    })
    const dead = createServer()
    await using caddy = await startCaddy(program, {
      UPSTREAMS: `${await addressOf(dead)} ${await addressOf(good)}`,
    })
    await once(dead.close(), 'close')
    const ask = async (path: string) =>
      (await fetch(`${caddy.url}${path}`, { dispatcher: caddy.agent })).status

    // All the time, the one that is down has fewer connections than the one that works.
    const first = ask('/held')
    await isHeld.promise
    const others = await Promise.all(Array.from({ length: 20 }, () => ask('/')))
    for (const answer of held) answer.end()

    expect(new Set([...others, await first])).toEqual(new Set([200]))
    good.close()
  })

  test('a server that dies in the middle is told of in the words of our errors', async () => {
    const dying = createServer((asked) => asked.socket.destroy())
    await using caddy = await startCaddy(program, {
      UPSTREAMS: await addressOf(dying),
    })

    const answer = await fetch(`${caddy.url}/v1/models`, {
      method: 'POST',
      body: 'x',
      dispatcher: caddy.agent,
    })
    dying.close()

    expect(answer.status).toBe(502)
    expect(answer.headers.get('retry-after')).toBe('10')
    expect(await answer.json()).toMatchObject({ error: { type: 'server_error', code: 'server_unreachable' } })
  })

  test('a WebSocket’s bytes pass both ways, though nothing here speaks it yet', async () => {
    const echo = createServer().on('upgrade', (_asked, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
      socket.pipe(socket)
    })
    const upstream = await addressOf(echo)
    await using caddy = await startCaddy(program, {
      CADDY_TLS: 'off',
      SITE_ADDRESS: '127.0.0.1',
      UPSTREAMS: upstream,
    })
    const headers = {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'a'.repeat(24),
    }

    const asked = plainRequest(`${caddy.url}/v1/realtime`, { headers }).end()
    const [, socket] = (await once(asked, 'upgrade')) as [IncomingMessage, Duplex]
    let heard = ''
    socket.on('data', (bytes) => (heard += String(bytes)))
    socket.write('there')
    await expect.poll(() => heard).toBe('there')
    socket.write(' and back')
    await expect.poll(() => heard).toBe('there and back')
    socket.destroy()
    echo.close()
  })
})
