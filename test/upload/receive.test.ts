import { once } from 'node:events'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  answersOf,
  BOUNDARY,
  chunk,
  chunkedHead,
  END,
  FILE,
  part,
  post,
  sharedReceiver,
  startReceiver,
} from './socket.ts'

const server = sharedReceiver()
const send = (body: string, headers: Record<string, string> = {}) =>
  post(server(), body, { 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, ...headers })

describe('a form', () => {
  test.each([
    ['before', part('name="model"', 'whisper-1') + FILE + END],
    ['after', FILE + part('name="model"', 'whisper-1') + END],
  ])('may hold its fields %s the file', async (_where, body) => {
    expect(await send(body)).toMatchObject({
      status: 200,
      fields: { model: ['whisper-1'] },
      content: 'RIFF\u00ff\u0000data',
    })
  })

  test('keeps repeated fields in order', async () => {
    const { fields } = await send(part('name="x[]"', 'one') + part('name="x[]"', 'two') + FILE + END)

    expect(fields).toEqual({ 'x[]': ['one', 'two'] })
  })

  test('arrives whole in chunks of one byte, without a length', async () => {
    const socket = server().connect()
    const body = part('name="model"', 'whisper-1') + FILE + END

    socket.write(chunkedHead() + body.replace(/./gs, chunk) + chunk(''), 'latin1')

    expect(await answersOf(socket)).toMatchObject([{ status: 200, content: 'RIFF\u00ff\u0000data' }])
  })

  test('that comes slowly but steadily may take far longer than the idle time', async () => {
    const idleMs = 200
    await using impatient = await startReceiver({ maxBodyBytes: 10_000_000, idleMs })
    const socket = impatient.connect()
    const answers = answersOf(socket)
    const startedMs = performance.now()
    socket.write(chunkedHead() + chunk(FILE + END), 'latin1')
    const steady = setInterval(() => {
      socket.write(chunk('z'.repeat(5000)))
      if (performance.now() - startedMs < 3 * idleMs) return
      clearInterval(steady)
      socket.write(chunk(''))
    }, 10)
    onTestFinished(() => clearInterval(steady))

    expect(await answers).toMatchObject([{ status: 200 }])
    expect(performance.now() - startedMs).toBeGreaterThan(3 * idleMs)
  })

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'may have a field named %s',
    async (name) => {
      expect(await send(part(`name="${name}"`, 'x') + FILE + END)).toMatchObject({ status: 200 })
      expect(({} as Record<string, unknown>).x).toBeUndefined()
    },
  )

  test('may be followed by megabytes that mean nothing, up to the limit', async () => {
    expect(await send(`${FILE}${END}${'z'.repeat(500_000)}`)).toMatchObject({ status: 200 })
  })

  test('may say of its text what it is, as aiohttp does', async () => {
    const utf8 = part('name="prompt"', 'R\u00c3\u00b8dgr\u00c3\u00b8d', 'text/plain; charset=utf-8')
    const latin1 = part('name="language"', 'fran\u00e7ais', 'text/plain; charset=iso-8859-1')
    const unknown = part('name="model"', '\u00c3\u00a5', 'text/plain; charset=utf_8')
    const { fields } = await send(utf8 + latin1 + unknown + FILE + END)

    expect(fields).toEqual({ prompt: ['R\u00f8dgr\u00f8d'], language: ['fran\u00e7ais'], model: ['\u00e5'] })
  })

  test.each([
    ['a quoted boundary', { 'content-type': `multipart/form-data; boundary="${BOUNDARY}"` }],
    ['a type in capitals', { 'content-type': `Multipart/Form-Data; BOUNDARY=${BOUNDARY}` }],
    [
      'a charset beside the boundary',
      { 'content-type': `multipart/form-data; boundary=${BOUNDARY}; charset=UTF-8` },
    ],
  ])('may be announced with %s', async (_how, headers) => {
    expect(await send(FILE + END, headers)).toMatchObject({ status: 200, name: 'a.wav' })
  })

  test('is asked for when the client waits to be asked, as curl does', async () => {
    const socket = server().connect()
    const body = FILE + END
    socket.write(
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\n` +
        `Content-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`,
    )
    const [first] = (await once(socket, 'data')) as [Buffer]
    socket.write(body, 'latin1')

    expect(first.toString()).toMatch(/^HTTP\/1.1 100 /)
    expect(await answersOf(socket)).toMatchObject([{ status: 200, name: 'a.wav' }])
  })

  test('may hold parts that are no fields, which are passed over', async () => {
    const nameless = part('x="y"', 'x')
    const attachment = `--${BOUNDARY}\r\nContent-Disposition: attachment; name="file"\r\n\r\nx\r\n`
    const bare = `--${BOUNDARY}\r\n\r\nno header\r\n`

    expect(await send(nameless + attachment + bare + FILE + END)).toMatchObject({
      status: 200,
      fields: {},
      content: 'RIFF\u00ff\u0000data',
    })
  })
})

describe('a body that cannot be read', () => {
  const type = (contentType: string) => ({ 'content-type': contentType })

  test.each([
    ['of another type', FILE + END, type('audio/wav'), 415, 'unsupported_media_type'],
    ['of a type like JSON', '{}', type('application/jsonlines'), 415, 'unsupported_media_type'],
    ['of no type', FILE + END, type(''), 415, 'unsupported_media_type'],
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
      (FILE + END).replaceAll(BOUNDARY, 'b'.repeat(300)),
      type(`multipart/form-data; boundary=${'b'.repeat(300)}`),
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
    [
      'with half a quote in a header',
      part('name="file; filename=a', 'x') + END,
      {},
      400,
      'invalid_multipart',
    ],
    [
      'with a header of 20 kB',
      part(`name="file"; filename="${'n'.repeat(20_000)}"`, 'x') + END,
      {},
      400,
      'invalid_multipart',
    ],
    [
      'with a header that does not end',
      `--${BOUNDARY}\r\nX: ${'n'.repeat(20_000)}`,
      {},
      400,
      'invalid_multipart',
    ],
    ['with two files', FILE + FILE + END, {}, 400, 'invalid_multipart'],
    ['with too many fields', part('name="x"', 'y').repeat(257) + FILE + END, {}, 400, 'invalid_multipart'],
    ['with a flood of parts', part('x=y', '').repeat(5000) + END, {}, 400, 'invalid_multipart'],
    ['with a field of 2 MB', part('name="prompt"', 'p'.repeat(2_000_000)), {}, 413, 'file_too_large'],
    ['that says it is too long', 'x'.repeat(1_000_001), {}, 413, 'file_too_large'],
  ])('%s is refused', async (_what, body, headers, status, code) => {
    expect(await send(body, headers as Record<string, string>)).toMatchObject({ status, code })
  })

  test('because a field is longer than a mebibyte is refused by name', async () => {
    await using roomy = await startReceiver({ maxBodyBytes: 5_000_000, idleMs: 60_000 })
    const body = new FormData()
    body.append('prompt', 'p'.repeat(2_000_000))
    const response = await fetch(roomy.url, { method: 'POST', body })

    expect(await response.json()).toMatchObject({ status: 400, code: 'invalid_value', param: 'prompt' })
  })

  test('because its fields are too much together is refused', async () => {
    await using roomy = await startReceiver({ maxBodyBytes: 20_000_000, idleMs: 60_000 })
    const body = new FormData()
    for (let i = 0; i < 9; i++) body.append('keywords[]', 'k'.repeat(1_000_000))
    const response = await fetch(roomy.url, { method: 'POST', body })

    expect(await response.json()).toMatchObject({ status: 400, code: 'invalid_multipart' })
    expect(await roomy.leftovers()).toEqual([])
  })

  test('names both types that can be read', async () => {
    const { message } = await send('x', { 'content-type': 'text/plain' })

    expect(message).toMatch(/"text\/plain".*multipart\/form-data or application\/json/)
  })

  test('because it outgrows the limit on the way is refused, and the next request on the connection is not', async () => {
    const socket = server().connect()
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
    const outcome = server().nextOutcome()
    const socket = server().connect()
    socket.write(chunkedHead() + chunk(FILE.slice(0, -2)), 'latin1')
    await expect.poll(() => server().leftovers()).toHaveLength(2)

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

  test('because it only trickles is refused as well, though something always comes', async () => {
    await using impatient = await startReceiver({ maxBodyBytes: 1_000_000, idleMs: 100 })
    const socket = impatient.connect()
    const answers = answersOf(socket)
    socket.write(chunkedHead() + chunk(FILE.slice(0, -2)), 'latin1')
    const trickle = setInterval(() => socket.write(chunk('z')), 5)
    onTestFinished(() => clearInterval(trickle))

    expect(await answers).toMatchObject([{ status: 408, code: 'request_timeout' }])
    clearInterval(trickle)
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

    expect(await server().answer(gone)).toMatchObject({ status: 499, code: 'client_closed_request' })
  })
})
