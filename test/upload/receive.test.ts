import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  answersOf,
  BOUNDARY,
  chunk,
  chunkedHead,
  END,
  FILE,
  part,
  type Received,
  startReceiver,
} from './socket.ts'

let server: Awaited<ReturnType<typeof startReceiver>>
beforeAll(async () => {
  server = await startReceiver()
})
afterEach(async () => {
  const leftovers = await server.leftovers()
  if (leftovers.length > 0) throw new Error(`left on disk: ${leftovers.join(', ')}`)
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

async function post(body: string, headers: Record<string, string> = {}): Promise<Received> {
  const response = await fetch(server.url, {
    method: 'POST',
    body: Buffer.from(body, 'latin1'),
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, ...headers },
  })
  return (await response.json()) as Received
}

describe('a form', () => {
  test.each([
    ['before', part('name="model"', 'whisper-1') + FILE + END],
    ['after', FILE + part('name="model"', 'whisper-1') + END],
  ])('may hold its fields %s the file', async (_where, body) => {
    expect(await post(body)).toMatchObject({
      status: 200,
      fields: { model: ['whisper-1'] },
      content: 'RIFF\u00ff\u0000data',
    })
  })

  test('keeps repeated fields in order', async () => {
    const { fields } = await post(part('name="x[]"', 'one') + part('name="x[]"', 'two') + FILE + END)

    expect(fields).toEqual({ 'x[]': ['one', 'two'] })
  })

  test('arrives whole in chunks of one byte, without a length', async () => {
    const socket = server.connect()
    const body = part('name="model"', 'whisper-1') + FILE + END

    socket.write(chunkedHead() + body.replace(/./gs, chunk) + chunk(''), 'latin1')

    expect(await answersOf(socket)).toMatchObject([{ status: 200, content: 'RIFF\u00ff\u0000data' }])
  })

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'may have a field named %s',
    async (name) => {
      expect(await post(part(`name="${name}"`, 'x') + FILE + END)).toMatchObject({ status: 200 })
      expect(({} as Record<string, unknown>).x).toBeUndefined()
    },
  )

  test('may be followed by megabytes that mean nothing, up to the limit', async () => {
    expect(await post(`${FILE}${END}${'z'.repeat(500_000)}`)).toMatchObject({ status: 200 })
  })
})

describe('a file', () => {
  test.each([
    ['filename="../../etc/passwd"', 'passwd'],
    ['filename="C:\\\\Windows\\\\a.wav"', 'a.wav'],
    ['filename="-"', '-'],
    [`filename="${'n'.repeat(1000)}"`, 'n'.repeat(255)],
  ])('with %s is called %s and stored under a name of ours', async (disposition, name) => {
    const answer = await post(part(`name="file"; ${disposition}`, 'sound') + END)

    expect(answer).toMatchObject({ status: 200, name, content: 'sound' })
  })

  test('keeps its name in UTF-8', async () => {
    const body = new FormData()
    body.append('file', new Blob(['sound']), 'møde på Ærø.wav')
    const response = await fetch(server.url, { method: 'POST', body })

    expect(await response.json()).toMatchObject({ name: 'møde på Ærø.wav' })
  })

  test('without a name is a file when its type says so', async () => {
    const answer = await post(part('name="file"', 'so\u00ffund', 'application/octet-stream') + END)

    expect(answer).toMatchObject({ status: 200, content: 'so\u00ffund' })
    expect(answer).not.toHaveProperty('name')
  })

  test.each([
    ['sent as text', part('name="file"', 'sound'), 'missing_file', /filename/],
    ['of no bytes', part('name="file"; filename="a.wav"', ''), 'empty_file', /empty/],
    [
      'under another name',
      part('name="audio"; filename="a.wav"', 'sound'),
      'missing_file',
      /"file".*"audio"/,
    ],
    ['that is not there', part('name="model"', 'x'), 'missing_file', /"file"/],
  ])('%s is refused', async (_what, body, code, message) => {
    const answer = await post(body + END)

    expect(answer).toMatchObject({ status: 400, code, param: 'file' })
    expect(answer.message).toMatch(message)
  })
})

describe('a body that cannot be read', () => {
  const type = (contentType: string) => ({ 'content-type': contentType })

  test.each([
    ['of another type', FILE + END, type('application/json'), 415, 'unsupported_media_type'],
    [
      'that is urlencoded',
      'file=x',
      type('application/x-www-form-urlencoded'),
      415,
      'unsupported_media_type',
    ],
    ['that is compressed', FILE + END, { 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'],
    ['without a boundary', FILE + END, type('multipart/form-data'), 400, 'invalid_multipart'],
    [
      'with an empty boundary',
      FILE + END,
      type('multipart/form-data; boundary=""'),
      400,
      'invalid_multipart',
    ],
    [
      'with a boundary of 300 characters',
      '',
      type(`multipart/form-data; boundary=${'b'.repeat(300)}`),
      400,
      'invalid_multipart',
    ],
    [
      'of a broken type',
      FILE + END,
      type(`multipart/form-data; =; boundary=${BOUNDARY}`),
      400,
      'invalid_multipart',
    ],
    ['that ends inside the file', FILE.slice(0, -4), {}, 400, 'invalid_multipart'],
    ['that ends inside a header', FILE + `--${BOUNDARY}\r\nContent-Disp`, {}, 400, 'invalid_multipart'],
    ['that is empty', '', {}, 400, 'invalid_multipart'],
    [
      'with a broken part header',
      `--${BOUNDARY}\r\nno colon here\r\n\r\nx\r\n${END}`,
      {},
      400,
      'invalid_multipart',
    ],
    [
      'with a control character in a header',
      part('name="file"; filename="a\u0007b"', 'x') + END,
      {},
      400,
      'invalid_multipart',
    ],
    ['with two files', FILE + FILE + END, {}, 400, 'invalid_multipart'],
    ['with too many fields', part('name="x"', 'y').repeat(70) + FILE + END, {}, 400, 'invalid_multipart'],
    ['with a flood of parts', part('x', '').repeat(5000) + END, {}, 400, 'invalid_multipart'],
    ['with a field of 2 MB', part('name="prompt"', 'p'.repeat(2_000_000)), {}, 413, 'file_too_large'],
    ['that says it is too long', 'x'.repeat(1_000_001), {}, 413, 'file_too_large'],
  ])('%s is refused', async (_what, body, headers, status, code) => {
    expect(await post(body, headers as Record<string, string>)).toMatchObject({ status, code })
  })

  test('because a field is longer than a mebibyte is refused by name', async () => {
    await using roomy = await startReceiver({ maxBodyBytes: 5_000_000, idleMs: 60_000 })
    const body = new FormData()
    body.append('prompt', 'p'.repeat(2_000_000))
    const response = await fetch(roomy.url, { method: 'POST', body })

    expect(await response.json()).toMatchObject({ status: 400, code: 'invalid_value', param: 'prompt' })
  })

  test('because it outgrows the limit on the way is refused, and the next request on the connection is not', async () => {
    const socket = server.connect()
    const answers = answersOf(socket, 2)

    socket.write(chunkedHead() + chunk(FILE.slice(0, -2)), 'latin1')
    for (let sent = 0; sent < 30; sent++) socket.write(chunk('z'.repeat(100_000)))
    socket.write(chunk(''))
    socket.write(chunkedHead() + chunk(FILE + END) + chunk(''), 'latin1')

    expect(await answers).toMatchObject([
      { status: 413, code: 'file_too_large', param: 'file' },
      { status: 200 },
    ])
  })

  test('because the client hung up leaves nothing behind', async () => {
    const outcome = server.nextOutcome()
    const socket = server.connect()
    socket.write(chunkedHead() + chunk(FILE.slice(0, -2)), 'latin1')
    await vi.waitFor(async () => expect(await server.leftovers()).toHaveLength(2))

    socket.destroy()

    expect(await outcome).toMatchObject({ status: 499, code: 'client_closed_request' })
  })

  test('because nothing more came is refused after the idle time', async () => {
    await using impatient = await startReceiver({ maxBodyBytes: 1_000_000, idleMs: 50 })
    const socket = impatient.connect()

    socket.write(chunkedHead() + chunk(FILE.slice(0, -2)), 'latin1')

    expect(await answersOf(socket)).toMatchObject([{ status: 408, code: 'request_timeout' }])
    expect(await impatient.leftovers()).toEqual([])
  })

  test('of a client that has gone already is not waited for', async () => {
    const gone = new Request('http://localhost/', {
      method: 'POST',
      headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
      body: new ReadableStream(),
      duplex: 'half',
      signal: AbortSignal.abort(),
    })

    expect(await server.answer(gone)).toMatchObject({ status: 499, code: 'client_closed_request' })
  })
})
