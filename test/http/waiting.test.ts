import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { until } from '../../src/until.ts'
import { Alarms } from './alarms.ts'
import { errorOf, form, piecesOf, startParts } from './parts.ts'

const EARLY_MS = 50_000
const SILENCE_MS = 15_000

let alarms: Alarms
let server: Awaited<ReturnType<typeof startParts>>
/** What the transcript waits for. */
let work: PromiseWithResolvers<void>
beforeEach(async () => {
  alarms = new Alarms()
  work = Promise.withResolvers()
  work.promise.catch(() => {}) // a test may reject it before anybody waits
  server = await startParts({}, {}, { setAlarm: alarms.setAlarm })
  server.transcriber.before = async (_source, signal) => until(work.promise, signal)
})
afterEach(async () => {
  await expectNothingLeft()
  await server[Symbol.asyncDispose]()
})

async function expectNothingLeft(): Promise<void> {
  expect(alarms.pending).toEqual([])
  expect(await server.leftovers()).toEqual([])
}

const ask = async (response_format: string, init: RequestInit = {}) =>
  server.app.request('/v1/audio/transcriptions', {
    method: 'POST',
    body: form({ response_format }),
    ...init,
  })
const requestLine = () => server.logged.find(({ message }) => message === 'request')

/** An answer that has begun without its body. */
async function begun(response_format: string): Promise<Response> {
  const answered = ask(response_format)
  await alarms.ring(EARLY_MS)
  return answered
}

/** A piece that is there only because of the silence. */
async function inSilence(pieces: ReturnType<typeof piecesOf>) {
  const piece = pieces.next()
  await alarms.ring(SILENCE_MS)
  return piece
}

/** The answer to the same question when nothing is late. */
async function inTime(response_format: string): Promise<string> {
  const { before } = server.transcriber
  server.transcriber.before = async () => {}
  const body = await (await ask(response_format)).text()
  server.transcriber.before = before
  return body
}

describe('an answer that is there in time', () => {
  test.each(['json', 'text', 'srt', 'verbose_json', 'vtt'])('is whole, as %s too', async (format) => {
    work.resolve()

    const response = await ask(format)

    expect(response.status).toBe(200)
    expect(response.headers.get('x-accel-buffering')).toBeNull()
    await response.text()
    expect(requestLine()).not.toHaveProperty('headersMs')
  })

  test('keeps its status when it is a failure, and leaves no alarm behind', async () => {
    const answered = ask('json')
    work.reject(new Failure('engine_failed', 'No.'))

    expect(await errorOf(await answered)).toMatchObject({ status: 500, code: 'engine_failed' })
  })
})

describe('an answer that takes longer', () => {
  test.each([
    ['json', 'application/json', ' ', ' '],
    ['verbose_json', 'application/json', ' ', ' '],
    ['vtt', 'text/vtt; charset=utf-8', 'WEBVTT\n', '\n'],
    ['srt', 'application/x-subrip; charset=utf-8', '\n\n', '\n\n'],
  ])(
    'begins without its body, gives a sign of life every 15 s, and is the same %s',
    async (format, contentType, beginning, filler) => {
      const whole = await inTime(format)
      const response = await begun(format)
      const pieces = piecesOf(response)

      expect(response.status).toBe(200)
      expect(response.headers.get('content-type')).toBe(contentType)
      expect(response.headers.get('x-accel-buffering')).toBe('no')
      expect(response.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
      expect(response.headers.get('openai-processing-ms')).toMatch(/^\d+$/)
      expect(await pieces.next()).toBe(beginning)
      expect(await inSilence(pieces)).toBe(filler)
      expect(await inSilence(pieces)).toBe(filler)
      work.resolve()
      const rest = await pieces.next()
      expect(await pieces.next()).toBeUndefined()

      expect(format === 'vtt' ? `WEBVTT\n${rest}` : rest).toBe(whole)
    },
  )

  test('as text has no signs of life: its text comes as it becomes final', async () => {
    const [early, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { segments } = server.transcriber.transcript
    server.transcriber.onTheWay = async function* () {
      for (const segment of segments) yield { kind: 'segments', segments: [segment] }
      early.resolve()
      await goOn.promise
    }
    work.resolve()
    const answered = ask('text')
    await early.promise
    await alarms.ring(EARLY_MS)
    const pieces = piecesOf(await answered)

    expect(await pieces.next()).toBe('Toget kører klokken otte.')
    const last = pieces.next()
    expect(alarms.pending).toEqual([])
    goOn.resolve()
    expect(await last).toBe('\n')
    expect(await pieces.next()).toBeUndefined()
  })

  test('as text may begin with nothing at all', async () => {
    const response = await begun('text')
    work.resolve()

    expect(response.status).toBe(200)
    expect(await response.text()).toBe('Toget kører klokken otte.\n')
  })

  test.each(['json', 'text'])('is broken off when it fails after all, as %s', async (format) => {
    const response = await begun(format)
    work.reject(new Failure('engine_crashed', 'The speech engine stopped.'))

    await expect(response.text()).rejects.toThrow('The speech engine stopped.')
    await expect.poll(requestLine).toMatchObject({ status: 200, code: 'engine_crashed' })
    expect(server.logged).toContainEqual(
      expect.objectContaining({ level: 'error', message: 'request failed' }),
    )
  })

  test('is ended when its client leaves', async () => {
    const client = new AbortController()
    const answered = ask('json', { signal: client.signal })
    await alarms.ring(EARLY_MS)
    await answered

    client.abort()

    await expect.poll(() => server.transcriber.asked[0]?.signal.aborted).toBe(true)
    await expect.poll(requestLine).toMatchObject({ status: 200, code: 'client_closed_request' })
  })

  test('is not kept alive for a reader who does not read', async () => {
    const pieces = piecesOf(await begun('json'))
    await pieces.next()

    expect(alarms.pending).toEqual([])

    await pieces.cancel()
  })
})

describe('when an answer begins', () => {
  test('is a setting', async () => {
    await using hasty = await startParts(
      { EARLY_HEADERS_AFTER_SECONDS: '7' },
      {},
      { setAlarm: alarms.setAlarm },
    )
    hasty.transcriber.before = async (_source, signal) => until(work.promise, signal)
    const answered = hasty.app.request('/v1/audio/transcriptions', { method: 'POST', body: form() })

    await alarms.ring(7000)
    const response = await answered
    work.resolve()

    expect(await response.json()).toMatchObject({ text: 'Toget kører klokken otte.' })
    expect(await hasty.leftovers()).toEqual([])
  })

  test('is its end, where the setting is 0', async () => {
    await using patient = await startParts(
      { EARLY_HEADERS_AFTER_SECONDS: '0' },
      {},
      { setAlarm: alarms.setAlarm },
    )
    patient.transcriber.before = async () => expect(alarms.pending).toEqual([])

    const response = await patient.app.request('/v1/audio/transcriptions', { method: 'POST', body: form() })

    expect(response.headers.get('x-accel-buffering')).toBeNull()
    expect(response.status).toBe(200)
  })
})
