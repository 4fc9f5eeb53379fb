// How streams end: with a failure, with a client that leaves, with a line in the log.
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { until } from '../../src/until.ts'
import { piecesOf } from './parts.ts'
import { eventsOf, say, startStreaming } from './streams.ts'

let server: Awaited<ReturnType<typeof startStreaming>>
beforeEach(async () => {
  server = await startStreaming()
})
afterEach(async () => {
  await server.expectNothingLeft()
  await server[Symbol.asyncDispose]()
})

describe('a failure in the middle', () => {
  const failWith = (error: unknown) =>
    server.tell(async function* () {
      yield* say(' Toget')
      throw error
    })

  test('is the last event, in OpenAI’s envelope, and there is no [DONE]', async () => {
    failWith(new Failure('engine_crashed', 'The speech engine stopped.', { cause: new Error('SIGSEGV') }))

    const response = await server.post()
    const body = await response.text()

    expect(eventsOf(body)).toEqual([
      { type: 'transcript.text.delta', delta: 'Toget' },
      {
        error: {
          message: 'The speech engine stopped.',
          type: 'server_error',
          param: null,
          code: 'engine_crashed',
        },
      },
    ])
    expect(body).not.toContain('SIGSEGV')
    expect(server.requestLine()).toMatchObject({ level: 'info', status: 200, code: 'engine_crashed' })
    expect(server.logged).toContainEqual(
      expect.objectContaining({ level: 'error', message: 'request failed' }),
    )
  })

  test('that is a bug tells the client only an id, and the log everything', async () => {
    failWith(new Error('secret path /etc/x'))

    const response = await server.post()
    const body = await response.text()
    const requestId = response.headers.get('x-request-id') ?? ''

    expect(eventsOf(body).at(-1)).toMatchObject({ error: { code: 'internal_error', type: 'server_error' } })
    expect(body).toContain(requestId)
    expect(body).not.toContain('secret')
    expect(server.logged).toContainEqual(
      expect.objectContaining({
        level: 'error',
        requestId,
        error: expect.objectContaining({ message: 'secret path /etc/x' }) as unknown,
      }),
    )
  })

  test('is also a text that is not what was said', async () => {
    server.tell(async function* () {
      yield* say(' Bussen')
    })

    const body = await (await server.post()).text()

    expect(eventsOf(body)).toMatchObject([{ delta: 'Bussen' }, { error: { code: 'internal_error' } }])
    expect(server.errors()).toHaveLength(1)
    expect(JSON.stringify(server.logged)).not.toMatch(/Bussen|Toget/)
  })
})

describe('a client that leaves', () => {
  /** Says one word and waits for the signal, as a busy engine does. */
  function busy() {
    const ended = Promise.withResolvers<unknown>()
    server.tell(async function* (signal) {
      try {
        yield* say(' Toget')
        await until(new Promise<never>(() => {}), signal)
      } finally {
        ended.resolve(signal.aborted)
      }
    })
    return ended.promise
  }

  test('while it waits for more ends the work', async () => {
    const ended = busy()
    const pieces = piecesOf(await server.post())
    await pieces.next()

    await pieces.cancel()

    expect(await ended).toBe(true)
    await expect.poll(server.requestLine).toMatchObject({ status: 200, code: 'client_closed_request' })
    expect(server.errors()).toEqual([])
  })

  test('before it has read anything ends the work', async () => {
    const ended = busy()
    const client = new AbortController()
    await server.post({}, { signal: client.signal })

    client.abort()

    await expect.poll(() => server.transcriber.asked[0]?.signal.aborted).toBe(true)
    await expect.poll(server.requestLine).toMatchObject({ code: 'client_closed_request' })
    await expect.poll(() => server.leftovers()).toEqual([])
    // Its one word was never taken, so it stands still where it said it and is told to go from there.
    expect(await ended).toBe(true)
  })

  test('before the answer has begun gets none', async () => {
    const client = new AbortController()
    server.transcriber.before = async (_source, signal) => {
      client.abort()
      signal.throwIfAborted()
    }

    expect((await server.post({}, { signal: client.signal })).status).toBe(499)
  })

  test('and reads on afterwards finds an end', async () => {
    void busy()
    const client = new AbortController()
    const response = await server.post({}, { signal: client.signal })
    client.abort()

    expect(await response.text()).toBe('data: {"type":"transcript.text.delta","delta":"Toget"}\n\n')
  })
})

test('what is said after the client has left is not heard, and is no error', async () => {
  const goOn = Promise.withResolvers<void>()
  server.tell(async function* () {
    yield* say(' Toget')
    await goOn.promise // whatever the signal says
    yield* say(' kører')
  })
  const pieces = piecesOf(await server.post())
  await pieces.next()
  const next = pieces.next()

  const cancelled = pieces.cancel()
  goOn.resolve()
  await cancelled

  expect(await next).toBeUndefined()
  expect(server.errors()).toEqual([])
})

test('the log’s line of a stream is written when it has ended, with the time until then', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const goOn = Promise.withResolvers<void>()
  server.tell(async function* () {
    yield* say(' Toget')
    await goOn.promise
  })
  server.transcriber.before = async () => void vi.advanceTimersByTime(300)
  const response = await server.post()

  expect(response.headers.get('openai-processing-ms')).toBe('300')
  expect(server.requestLine()).toBeUndefined()
  vi.advanceTimersByTime(5000)
  goOn.resolve()
  await response.text()

  await expect.poll(server.requestLine).toMatchObject({ status: 200, ms: 5300, headersMs: 300 })
  expect(server.requestLine()).not.toHaveProperty('code')
})

test('work that does not end cleanly is in the log, and the upload goes all the same', async () => {
  server.tell(async function* () {
    try {
      yield* say(' Toget')
    } finally {
      // oxlint-disable-next-line no-unsafe-finally -- the bug that this test is about
      throw new Error('stuck')
    }
  })
  const pieces = piecesOf(await server.post())
  await pieces.next()

  await pieces.cancel()

  expect(await server.leftovers()).toEqual([])
  expect(server.logged).toContainEqual(
    expect.objectContaining({
      level: 'error',
      message: 'letting go of an answer failed',
      error: expect.objectContaining({ message: 'stuck' }) as unknown,
    }),
  )
})
