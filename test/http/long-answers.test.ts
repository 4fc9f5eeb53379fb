/** Answers that begin before their body is there, over real connections: what Node does with them, and what clients make of it. */
import { toFile } from 'openai'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { until } from '../../src/until.ts'
import { EARLY_MS, SILENCE_MS, startConnections } from './connections.ts'

let server: Awaited<ReturnType<typeof startConnections>>
beforeEach(async () => {
  server = await startConnections()
})
afterEach(async () => {
  await server.expectNothingLeft()
  await server[Symbol.asyncDispose]()
})

const upload = () => toFile(Buffer.from('RIFF'), 'tale.wav')

describe('an answer that has begun without its body', () => {
  beforeEach(() => server.waitForWork())

  test('is understood by OpenAI’s SDK, spaces and all', async () => {
    const answered = server.openai.audio.transcriptions.create({
      file: await upload(),
      model: 'whisper-1',
      response_format: 'verbose_json',
    })
    await server.alarms.ring(EARLY_MS)
    await server.alarms.ring(SILENCE_MS)
    await server.alarms.ring(SILENCE_MS)
    server.work.resolve()

    expect(await answered).toMatchObject({ text: 'Toget kører klokken otte.', task: 'transcribe' })
    await expect.poll(server.requestLine).toMatchObject({ status: 200 })
  })

  test('reaches the client in pieces, its headers at once, and leaves the connection open for the next', async () => {
    const { socket, received } = server.ask({ response_format: 'json' })
    await server.alarms.ring(EARLY_MS)
    await expect.poll(received).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n1\r\n \r\n$/)
    await server.alarms.ring(SILENCE_MS)
    await expect.poll(received).toMatch(/\r\n\r\n1\r\n \r\n1\r\n \r\n$/)

    server.work.resolve()

    await expect.poll(received).toMatch(/ \r\n[0-9a-f]+\r\n\{"text":[^\r]*\}\r\n0\r\n\r\n$/)
    socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n')
    await expect.poll(received).toMatch(/\}\r\n0\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
    socket.destroy()
  })

  test.each(['json', 'text', 'srt', 'vtt'])(
    'and then fails breaks the connection off, with no end and no message, as %s',
    async (response_format) => {
      const { received, ended } = server.ask({ response_format })
      await server.alarms.ring(EARLY_MS)
      await expect.poll(received).toMatch(/^HTTP\/1\.1 200 OK\r\n/)

      server.work.reject(new Failure('engine_crashed', 'The speech engine stopped.'))
      await ended

      expect(received()).not.toMatch(/\r\n0\r\n/)
      expect(received()).not.toMatch(/error|speech/i)
      await expect.poll(server.requestLine).toMatchObject({ status: 200, code: 'engine_crashed' })
      expect(server.errors()).toMatchObject([{ message: 'request failed' }])
    },
  )

  test.each(['1.0', '1.1'])('and then fails resets the connection, also of HTTP/%s', async (version) => {
    const { received, ended } = server.ask({ response_format: 'text' }, { version })
    await server.alarms.ring(EARLY_MS)
    await expect.poll(received).toMatch(/^HTTP\/1\.1 200 OK\r\n/)

    server.work.reject(new Failure('engine_crashed', 'The speech engine stopped.'))

    expect(await ended).toBe('ECONNRESET')
  })

  test('ends well for HTTP/1.0, which knows the end by the closing', async () => {
    const { received, ended } = server.ask({ response_format: 'json' }, { version: '1.0' })
    await server.alarms.ring(EARLY_MS)
    await server.alarms.ring(SILENCE_MS)
    server.work.resolve()

    expect(await ended).toBeUndefined()
    expect(received()).toMatch(/\r\n\r\n {2}\{"text":[^\r]*\}$/)
  })

  test('and then fails is an error in OpenAI’s SDK, not an answer', async () => {
    const answered = server.openai.audio.transcriptions.create({ file: await upload(), model: 'whisper-1' })
    const failing = answered.catch((error: unknown) => error)
    await server.alarms.ring(EARLY_MS)
    await server.alarms.ring(SILENCE_MS)

    server.work.reject(new Failure('engine_crashed', 'The speech engine stopped.'))

    // openai-node hands on what undici says of a body that breaks off.
    expect(await failing).toMatchObject({ name: 'TypeError', message: 'terminated' })
  })

  test('is ended when the client hangs up', async () => {
    const { socket, received } = server.ask({ response_format: 'json' })
    await server.alarms.ring(EARLY_MS)
    await expect.poll(received).toMatch(/^HTTP\/1\.1 200 OK\r\n/)

    socket.destroy()

    await expect.poll(() => server.transcriber.asked[0]?.signal.aborted).toBe(true)
    await expect.poll(server.requestLine).toMatchObject({ status: 200, code: 'client_closed_request' })
    expect(server.errors()).toEqual([])
  })
})

test.each(['/v1/audio/transcriptions', '/v1/audio/translations', '/transcribe', '/detect-language'])(
  'a client of %s that hangs up before the answer has begun ends the work, and the log says so',
  async (path) => {
    const [started, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    server.transcriber.before = async (_source, signal) => {
      started.resolve()
      await until(server.work.promise, signal).finally(ended.resolve)
    }
    const { socket } = server.ask({}, { path })
    await started.promise

    socket.destroy()

    await ended.promise
    await expect.poll(server.requestLine).toMatchObject({ path, status: 499, code: 'client_closed_request' })
    expect(server.errors()).toEqual([])
  },
)

test('an answer of /transcribe that takes longer is the same JSON after spaces', async () => {
  server.waitForWork()
  const { socket, received } = server.ask({}, { path: '/transcribe' })
  await server.alarms.ring(EARLY_MS)
  await expect.poll(received).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n1\r\n \r\n$/)
  server.work.resolve()

  await expect
    .poll(received)
    .toMatch(/\{"text":"Toget kører klokken otte\."[^\r]*"filename":"a\.wav"[^\r]*\}\r\n0\r\n\r\n$/)
  socket.destroy()
})
