import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { until } from '../../src/until.ts'
import { segmentOf, silentTranscript, transcriptOf } from '../formats/transcripts.ts'
import { errorOf, piecesOf } from './parts.ts'
import { eventsOf, say, startStreaming } from './streams.ts'

const SILENCE_MS = 15_000

let server: Awaited<ReturnType<typeof startStreaming>>
beforeEach(async () => {
  server = await startStreaming()
})
afterEach(async () => {
  await server.expectNothingLeft()
  await server[Symbol.asyncDispose]()
})

describe('a streamed answer', () => {
  test('is deltas, the whole text with its tokens, and the end', async () => {
    server.tell(async function* () {
      yield* say(' Toget', ' kører', ' klokken otte.')
    })

    const response = await server.post()

    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
      'x-request-id': expect.stringMatching(/^[\w-]{36}$/) as string,
      'openai-processing-ms': expect.stringMatching(/^\d+$/) as string,
    })
    expect(eventsOf(await response.text())).toEqual([
      { type: 'transcript.text.delta', delta: 'Toget' },
      { type: 'transcript.text.delta', delta: ' kører' },
      { type: 'transcript.text.delta', delta: ' klokken otte.' },
      {
        type: 'transcript.text.done',
        text: 'Toget kører klokken otte.',
        usage: {
          type: 'tokens',
          input_tokens: 108,
          input_token_details: { text_tokens: 0, audio_tokens: 108 },
          output_tokens: 4,
          total_tokens: 112,
        },
      },
      '[DONE]',
    ])
  })

  test.each(['json', 'text', 'srt', 'verbose_json', 'vtt'])(
    'is events also as %s',
    async (response_format) => {
      const response = await server.post({ response_format })

      expect(response.headers.get('content-type')).toBe('text/event-stream')
      expect(eventsOf(await response.text()).at(-1)).toBe('[DONE]')
    },
  )

  test.each(['whisper-1', 'gpt-4o-transcribe', 'gpt-transcribe'])('comes from %s', async (model) => {
    expect(eventsOf(await (await server.post({ model })).text()).at(-1)).toBe('[DONE]')
  })

  test('asks for deltas, and for nothing that a stream does not show', async () => {
    await (await server.post({ response_format: 'verbose_json' })).text()

    expect(server.transcriber.asked[0]?.options).toMatchObject({ wantsDeltas: true, wantsWords: false })
  })

  test('with logprobs is told in segments', async () => {
    const logprobs = [{ token: ' Toget', logprob: -0.5, bytes: [32] }]
    const segments = [segmentOf(' Toget', 0, { logprobs })]
    server.transcriber.transcript = transcriptOf([], { segments, text: 'Toget' })
    server.tell(async function* () {
      yield { kind: 'segments', segments }
    })

    const events = eventsOf(await (await server.post({ 'include[]': 'logprobs' })).text())

    expect(server.transcriber.asked[0]?.options).toMatchObject({ wantsDeltas: false, wantsLogprobs: true })
    expect(events).toMatchObject([
      { type: 'transcript.text.delta', delta: 'Toget', logprobs },
      { type: 'transcript.text.done', text: 'Toget', logprobs },
      '[DONE]',
    ])
  })

  test('of silence has no deltas', async () => {
    server.transcriber.transcript = silentTranscript()

    expect(eventsOf(await (await server.post()).text())).toMatchObject([{ text: '' }, '[DONE]'])
  })

  test('is told while the transcript is still being made', async () => {
    const goOn = Promise.withResolvers<void>()
    server.tell(async function* () {
      yield* say(' Toget')
      await goOn.promise
      yield* say(' kører klokken otte.')
    })
    const pieces = piecesOf(await server.post())

    expect(await pieces.next()).toContain('"delta":"Toget"')
    expect(await server.leftovers()).toHaveLength(1)
    goOn.resolve()

    expect(await pieces.next()).toContain('"delta":" kører klokken otte."')
    expect(await pieces.next()).toContain('transcript.text.done')
    expect(await pieces.next()).toContain('[DONE]')
    expect(await pieces.next()).toBeUndefined()
  })
})

describe('in silence', () => {
  /** Speaks when the test says so. */
  function quiet() {
    const speak = Promise.withResolvers<void>()
    server.tell(async function* (signal) {
      await until(speak.promise, signal)
      yield* say(' Toget')
    })
    return speak.resolve
  }

  test('a ping every 15 s, the first of which begins the answer', async () => {
    const speak = quiet()
    const answered = server.post()
    await server.alarms.ring(SILENCE_MS)
    const pieces = piecesOf(await answered)

    expect(await pieces.next()).toBe(': ping\n\n')
    const next = pieces.next()
    await server.alarms.ring(SILENCE_MS)
    expect(await next).toBe(': ping\n\n')
    speak()
    expect(await pieces.next()).toContain('"delta":"Toget"')
    expect(await pieces.next()).toContain('"delta":" kører klokken otte."')
    expect(await pieces.next()).toContain('done')
    await pieces.next()
    await pieces.next()
  })

  test('no ping is made for a reader who does not read', async () => {
    const speak = quiet()
    const answered = server.post()
    await server.alarms.ring(SILENCE_MS)
    const pieces = piecesOf(await answered)
    await pieces.next()

    expect(server.alarms.pending).toEqual([])

    speak()
    expect(await pieces.next()).toContain('Toget')
    await pieces.cancel()
  })

  test('a failure before the first ping is an answer with a status', async () => {
    server.transcriber.before = async () => {
      throw new Failure('queue_full', 'Busy.', { retryAfterSeconds: 3 })
    }

    const response = await server.post()

    expect(response.headers.get('retry-after')).toBe('3')
    expect(await errorOf(response)).toMatchObject({ status: 503, code: 'queue_full' })
  })

  test('a failure after the first ping is an event', async () => {
    const fail = Promise.withResolvers<never>()
    server.transcriber.before = () => fail.promise
    const answered = server.post()
    await server.alarms.ring(SILENCE_MS)
    const response = await answered
    fail.reject(new Failure('invalid_audio', 'It ends in the middle.', { param: 'file' }))

    expect(eventsOf(await response.text())).toEqual([
      {
        error: {
          message: 'It ends in the middle.',
          type: 'invalid_request_error',
          param: 'file',
          code: 'invalid_audio',
        },
      },
    ])
  })
})
