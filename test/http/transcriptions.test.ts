import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { transcriptOf } from '../formats/transcripts.ts'
import { errorOf, form, startParts } from './parts.ts'

let server: Awaited<ReturnType<typeof startParts>>
beforeAll(async () => {
  server = await startParts()
})
beforeEach(() => {
  server.transcriber.asked.length = 0
  server.transcriber.before = async () => {}
  server.transcriber.transcript = transcriptOf([' Toget kører', ' klokken otte.'])
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

const post = (fields: Record<string, string | string[]> = {}, headers = {}) =>
  server.app.request('/v1/audio/transcriptions', { method: 'POST', body: form(fields), headers })
const verbose = async (fields: Record<string, string | string[]>) =>
  (await (await post({ response_format: 'verbose_json', ...fields })).json()) as Record<string, unknown>

describe('the answer', () => {
  test('is json when no format is asked for', async () => {
    const response = await post()

    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toEqual({
      text: 'Toget kører klokken otte.',
      usage: { type: 'duration', seconds: 3 },
    })
  })

  test.each([
    ['text', 'text/plain; charset=utf-8', 'Toget kører klokken otte.\n'],
    [
      'srt',
      'application/x-subrip; charset=utf-8',
      '1\n00:00:00,000 --> 00:00:01,900\nToget kører klokken otte.\n',
    ],
    [
      'vtt',
      'text/vtt; charset=utf-8',
      'WEBVTT\n\n00:00:00.000 --> 00:00:01.900\nToget kører klokken otte.\n',
    ],
  ])('is %s of type %s when asked', async (response_format, contentType, body) => {
    const response = await post({ response_format })

    expect(response.headers.get('content-type')).toBe(contentType)
    expect(await response.text()).toBe(body)
  })

  test('leaves nothing on disk', async () => {
    let seen: string[] = []
    server.transcriber.before = async () => void (seen = await server.leftovers())

    await post()

    expect(seen).toHaveLength(1)
    expect(await server.leftovers()).toEqual([])
  })
})

describe('timestamp_granularities', () => {
  test.each([
    ['timestamp_granularities[]', ['word', 'segment']],
    ['timestamp_granularities[]', 'word'],
    ['timestamp_granularities[0]', 'word'],
    ['timestamp_granularities', ['segment', 'word']],
    ['timestamp_granularities', '["word"]'],
    ['timestamp_granularities', 'segment, word'],
  ])('%s=%s gives words at the top and in the segments', async (name, value) => {
    const answer = await verbose({ [name]: value })

    expect(answer.words).toHaveLength(4)
    expect(answer.segments).toMatchObject([{ words: [{ word: ' Toget' }, { word: ' kører' }] }, {}])
  })

  test.each([[{}], [{ 'timestamp_granularities[]': 'segment' }], [{ 'timestamp_granularities[]': '' }]])(
    '%o gives segments and no words',
    async (fields) => {
      const answer = await verbose(fields)

      expect(answer).not.toHaveProperty('words')
      expect(answer.segments).toHaveLength(2)
    },
  )

  test('is no mistake beside a format without timestamps, which is how Vercel asks', async () => {
    expect((await post({ response_format: 'json', 'timestamp_granularities[]': 'word' })).status).toBe(200)
  })
})

describe('Vexa, recognised by what it sends', () => {
  test.each([
    { timestamp_granularities: 'word' },
    { transcription_tier: 'realtime' },
    { max_speech_duration_s: '15' },
    { min_silence_duration_ms: '160' },
  ])('%o, reads an ISO code, nested words and audio_start', async (fields) => {
    const answer = await verbose(fields)

    expect(answer.language).toBe('da')
    expect(answer.segments).toMatchObject([
      { audio_start: 0, audio_end: 0.9, words: [{ word: ' Toget' }, {}] },
      {},
    ])
  })

  test.each([
    [{ 'timestamp_granularities[]': 'word' }, {}],
    [{ transcription_tier: '', max_speech_duration_s: ' ' }, { 'x-transcription-tier': '' }],
  ])('not in %o', async (fields, headers) => {
    const response = await post({ response_format: 'verbose_json', ...fields }, headers)

    expect(await response.json()).toMatchObject({ language: 'danish' })
  })

  test('also by its header', async () => {
    const response = await post({ response_format: 'verbose_json' }, { 'x-transcription-tier': 'deferred' })

    expect(await response.json()).toMatchObject({ language: 'da' })
  })
})

describe('what the engine is asked', () => {
  test.each([
    [{}, { language: 'da', temperature: 0, wantsWords: false, task: 'transcribe' }],
    [
      { language: 'en-US', temperature: '0.4' },
      { language: 'en', temperature: 0.4 },
    ],
    [
      { language: 'dansk', prompt: 'Ærø' },
      { language: 'da', prompt: 'Ærø' },
    ],
    [
      { language: '', prompt: '', temperature: '', model: '' },
      { language: 'da', temperature: 0 },
    ],
    [{ response_format: 'srt' }, { wantsWords: true }],
    [{ response_format: 'text' }, { wantsWords: false }],
    [{ unheard_of: 'x', __proto__: 'y', constructor: 'z' }, { language: 'da' }],
  ])('%o', async (fields, options) => {
    expect((await post(fields)).status).toBe(200)

    expect(server.transcriber.asked[0]?.options).toMatchObject(options)
  })

  test.each([
    ['on', {}, true],
    ['on', { guards: 'false' }, false],
    ['on', { guards: 'OFF' }, false],
    ['on', { guards: '' }, true],
    ['off', {}, false],
    ['off', { guards: 'true' }, true],
    ['off', { guards: '1' }, true],
  ])('with GUARDS=%s and %o has guards: %s', async (GUARDS, fields, wantsGuards) => {
    await using other = await startParts({ GUARDS })

    for (const path of ['/v1/audio/transcriptions', '/transcribe']) {
      await other.app.request(path, { method: 'POST', body: form(fields as Record<string, string>) })
    }

    expect(other.transcriber.asked.map(({ options }) => options.wantsGuards)).toEqual([
      wantsGuards,
      wantsGuards,
    ])
  })

  test('is to detect the language when it is auto', async () => {
    await post({ language: 'auto' })

    expect(server.transcriber.asked[0]?.options).not.toHaveProperty('language')
  })

  test.each(['whisper-1', 'gpt-4o-transcribe', 'default', 'syvai/hviske-v2', 'HVISKE-v2', 'large-v3'])(
    'is the loaded model when the model is called %s',
    async (model) => {
      expect((await post({ model })).status).toBe(200)
    },
  )
})

describe('a refusal names the field, the value and what is allowed', () => {
  test.each([
    [
      { response_format: 'docx' },
      400,
      'response_format',
      'invalid_value',
      /docx.*json, text, srt, verbose_json, vtt/,
    ],
    [{ guards: 'perhaps' }, 400, 'guards', 'invalid_value', /"perhaps".*true or false/],
    [{ temperature: '2' }, 400, 'temperature', 'invalid_value', /"2".*a number from 0 to 1/],
    [{ temperature: 'hot' }, 400, 'temperature', 'invalid_value', /"hot".*a number from 0 to 1/],
    [
      { timestamp_granularities: 'word,letter' },
      400,
      'timestamp_granularities',
      'invalid_value',
      /letter.*word, segment/,
    ],
    [{ language: 'klingon' }, 400, 'language', 'invalid_language', /klingon.*danish.*auto.*da,/],
    [{ model: 'gpt-5' }, 404, 'model', 'model_not_found', /gpt-5.*syvai\/hviske-v2.*whisper-1/],
  ])('%o', async (fields, status, param, code, message) => {
    const error = await errorOf(await post(fields as Record<string, string>))

    expect(error).toMatchObject({ status, param, code, type: 'invalid_request_error' })
    expect(error.message).toMatch(message)
    expect(server.transcriber.asked).toEqual([])
    expect(await server.leftovers()).toEqual([])
  })

  test('and what the engine refuses reaches the client as it was said', async () => {
    server.transcriber.before = async () => {
      throw new Failure('audio_too_long', 'The recording is longer than 60 s.', { param: 'file' })
    }

    expect(await errorOf(await post())).toMatchObject({
      status: 400,
      code: 'audio_too_long',
      message: 'The recording is longer than 60 s.',
    })
    expect(await server.leftovers()).toEqual([])
  })
})

test('a client that hangs up ends the work that was begun for it', async () => {
  const client = new AbortController()
  server.transcriber.before = async (_source, signal) => {
    client.abort()
    signal.throwIfAborted()
  }
  const request = new Request('http://localhost/v1/audio/transcriptions', {
    method: 'POST',
    body: form(),
    signal: client.signal,
  })

  const response = await server.app.request(request)

  expect(response.status).toBe(499)
  expect(await server.leftovers()).toEqual([])
  expect(server.logged.filter(({ level }) => level === 'error')).toEqual([])
})
