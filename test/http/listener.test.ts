// Real sockets: what Node's parser refuses, and what becomes of a connection whose body nobody wanted.
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, request, type ServerOptions } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI, { AuthenticationError } from 'openai'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { createHttpServer } from '../../src/http/listener.ts'
import { exposition } from '../../src/metrics.ts'
import { readExposition, valueOf } from '../exposition.ts'
import { startParts } from './parts.ts'

const KEY = 'sk-our-own-key'
const MIB = 1024 ** 2

async function listen({
  settings = {} as Record<string, string>,
  options = {} as ServerOptions,
  fetch = undefined as (() => Promise<Response>) | undefined,
} = {}) {
  const parts = await startParts(settings)
  const { log, metrics } = parts.parts
  const server = createHttpServer(fetch ?? parts.app.fetch, log, { ...options, metrics })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await parts[Symbol.asyncDispose]()
  })
  const { port } = server.address() as AddressInfo
  let connections = 0
  server.on('connection', () => connections++)
  return { ...parts, server, port, connections: () => connections, url: `http://127.0.0.1:${port}` }
}

/** Everything that comes back until the server closes. */
async function conversation(port: number, ...pieces: (string | Buffer)[]): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  for (const piece of pieces) socket.write(piece)
  let heard = ''
  for await (const bytes of socket.setEncoding('latin1')) heard += String(bytes)
  return heard
}

describe('what is no HTTP', () => {
  const head = 'POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\n'

  test.each([
    ['no request at all', 'hello?\r\n\r\n', 400, 'malformed_request'],
    ['an impossible length', `${head}Content-Length: much\r\n\r\n`, 400, 'malformed_request'],
    ['headers without end', `${head}X: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'headers_too_large'],
    ['no Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'malformed_request'],
    [
      'a chunk without a size',
      `${head}Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      400,
      'malformed_request',
    ],
  ])(
    '(%s) is refused in the envelope, with an id that the log knows, and counted',
    async (_what, sent, status, code) => {
      const { port, logged, parts } = await listen()

      const answer = await conversation(port, sent)

      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
      const [, id] = /\r\nx-request-id: (\S+)\r\n/i.exec(answer) ?? []
      expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject({
        error: { type: 'invalid_request_error', param: null, code, message: expect.any(String) as string },
      })
      expect(logged).toContainEqual(expect.objectContaining({ requestId: id, code }))
      expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1)
      expect(answer).toMatch(/\r\nx-content-type-options: nosniff\r\n/i)
      expect(answer).toMatch(/\r\ncontent-security-policy: default-src 'none'; frame-ancestors 'none'\r\n/i)
      const families = readExposition(exposition(parts.metrics))
      const refused = { route: 'none', method: 'other', status: String(status) }
      expect(valueOf(families, 'hviske_http_requests_total', refused)).toBe(1)
      expect(valueOf(families, 'hviske_failures_total', { code })).toBe(1)
    },
  )

  test('headers that never end are answered with 408', async () => {
    const { port } = await listen({ options: { headersTimeout: 20, connectionsCheckingInterval: 10 } })

    const answer = await conversation(port, 'GET / HTTP/1.1\r\nHost: x\r\n')

    expect(answer).toMatch(/^HTTP\/1.1 408 /)
    expect(answer).toContain('"code":"request_timeout"')
  })

  test('in the middle of an answer ends the connection: a second answer would be read as part of the first', async () => {
    const begun = Promise.withResolvers<void>()
    const fetch = async () =>
      new Response(
        new ReadableStream({
          start: (controller) => {
            controller.enqueue(new TextEncoder().encode('the beginning'))
            begun.resolve()
          },
        }),
      )
    const { port } = await listen({ fetch })
    const socket = connect(port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    let heard = ''
    for await (const bytes of socket.setEncoding('latin1')) {
      if (heard === '') socket.write('what?\r\n\r\n')
      heard += String(bytes)
    }

    expect(heard).toContain('the beginning')
    expect(heard.match(/HTTP\/1\.1/g)).toHaveLength(1)
  })

  test('a bug that even the app did not catch tells nothing and is logged', async () => {
    const { url, logged } = await listen({ fetch: () => Promise.reject(new Error('secret /etc/x')) })

    const response = await fetch(url)
    const body = await response.text()

    expect(response.status).toBe(500)
    expect(body).toContain('"code":"internal_error"')
    expect(body).not.toContain('secret')
    expect(logged).toContainEqual(
      expect.objectContaining({ level: 'error', requestId: response.headers.get('x-request-id') }),
    )
  })
})

test('a server that has been closed ends when its last answer has, though the client would like to go on', async () => {
  const asked = Promise.withResolvers<void>()
  const work = Promise.withResolvers<Response>()
  const { server, url } = await listen({
    options: { keepAliveTimeout: 150_000 },
    fetch: () => {
      asked.resolve()
      return work.promise
    },
  })
  const agent = new Agent({ keepAlive: true })
  onTestFinished(() => agent.destroy())
  const answer = new Promise<number | undefined>((resolve) => {
    request(url, { agent }, (response) =>
      response.resume().on('end', () => resolve(response.statusCode)),
    ).end()
  })
  await asked.promise
  const closed = once(server, 'close')

  server.close()
  work.resolve(new Response('done'))

  expect(await answer).toBe(200)
  await closed
})

test('a connection that was opened ahead and never used keeps no server from ending', async () => {
  const { server, port } = await listen({ options: { headersTimeout: 60_000 } })
  const connected = once(server, 'connection')
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {}) // cut off is what it should be
  await connected
  const closed = once(server, 'close')

  server.close()

  expect(await closed).toEqual([])
})

describe('a large body that is refused for its key', () => {
  test('is answered before it has come, and the connection goes on', async () => {
    const { port } = await listen({ settings: { API_KEYS: KEY } })
    const socket = connect(port, '127.0.0.1')
    let heard = ''
    socket.setEncoding('latin1').on('data', (text) => (heard += String(text)))

    socket.write(
      `POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${8 * MIB}\r\n\r\n`,
    )
    await expect.poll(() => heard).toMatch(/^HTTP\/1.1 401 [^]*"code":"invalid_api_key"/)
    socket.write(Buffer.alloc(8 * MIB))
    socket.write(
      `GET /v1/models/whisper-1 HTTP/1.1\r\nHost: x\r\nX-API-Key: ${KEY}\r\nConnection: close\r\n\r\n`,
    )

    await expect.poll(() => heard).toMatch(/HTTP\/1.1 200 [^]*"id":"whisper-1"/)
    socket.destroy()
  })

  test.each(['401', '404'])(
    'in chunks, sent at once: %s, then the same connection is used again',
    async (status) => {
      const { url, connections } = await listen({ settings: status === '401' ? { API_KEYS: KEY } : {} })
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      onTestFinished(() => agent.destroy())
      const post = () =>
        new Promise<string>((resolve, reject) => {
          const asked = request(`${url}/v1/audio/speech`, { method: 'POST', agent }, (response) => {
            response.resume().on('end', () => resolve(String(response.statusCode)))
          })
          asked.on('error', reject)
          for (let sent = 0; sent < 16; sent++) asked.write(Buffer.alloc(MIB))
          asked.end()
        })

      expect([await post(), await post()]).toEqual([status, status])
      expect(connections()).toBe(1)
    },
  )

  test('is an AuthenticationError for the SDK, whatever way it sends', async () => {
    const { url } = await listen({ settings: { API_KEYS: KEY } })
    const directory = await mkdtemp(join(tmpdir(), 'hviske-listener-'))
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    const path = join(directory, 'large.wav')
    await writeFile(path, Buffer.alloc(20 * MIB))
    const client = (apiKey: string) => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 })

    for (const file of [createReadStream(path), new File([Buffer.alloc(20 * MIB)], 'large.wav')]) {
      const refusal = await client('wrong')
        .audio.transcriptions.create({ file, model: 'whisper-1' })
        .catch((error: unknown) => error)

      expect(refusal).toBeInstanceOf(AuthenticationError)
      expect(refusal).toMatchObject({ status: 401, code: 'invalid_api_key' })
      expect((refusal as AuthenticationError).requestID).toMatch(/^[\w-]{36}$/)
    }
    const { text } = await client(KEY).audio.transcriptions.create({
      file: createReadStream(path),
      model: 'whisper-1',
    })
    expect(text).toBe('Toget kører klokken otte.')
  })
})

test('the SDK comes back after the seconds that it was told, and is let in', async () => {
  const { url, door, transcriber } = await listen()
  let refusals = 0
  door.requireRoom = () => {
    if (refusals++ === 0) throw new Failure('queue_full', 'Full.', { retryAfterSeconds: 0.3 })
  }
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none-needed', maxRetries: 1 })
  const startedMs = performance.now()

  const { text } = await client.audio.transcriptions.create({
    file: new File(['audio'], 'a.wav'),
    model: 'whisper-1',
  })

  expect(text).toBe('Toget kører klokken otte.')
  expect(transcriber.asked).toHaveLength(1)
  expect(performance.now() - startedMs).toBeGreaterThan(950) // told 1; the SDK's own pause would be half of it
})
