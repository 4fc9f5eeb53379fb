import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as schemas from '../../src/http/response-schemas.ts'
import { faultsOf } from '../contract/openai-schemas.ts'
import { silentTranscript, transcriptOf } from '../formats/transcripts.ts'
import { errorOf, FACTS, form, startParts } from './parts.ts'

let server: Awaited<ReturnType<typeof startParts>>
beforeAll(async () => {
  server = await startParts()
})
beforeEach(() => {
  server.engine.state = { phase: 'ready', facts: FACTS }
  server.transcriber.asked.length = 0
  server.transcriber.transcript = transcriptOf([' The train leaves', ' at eight.'], { task: 'translate' })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

const post = (fields: Record<string, string | string[]> = {}) =>
  server.app.request('/v1/audio/translations', { method: 'POST', body: form(fields) })

describe('the answer', () => {
  test('is json when no format is asked for', async () => {
    const answer: unknown = await (await post()).json()

    expect(faultsOf('CreateTranslationResponseJson', answer)).toBeNull()
    expect(schemas.TranslationJson.parse(answer)).toEqual({
      text: 'The train leaves at eight.',
      usage: { type: 'duration', seconds: 3 },
    })
  })

  test('is verbose_json in English, without words whoever asks for them', async () => {
    const fields = { response_format: 'verbose_json', 'timestamp_granularities[]': 'word' }
    const answer: unknown = await (await post(fields)).json()

    expect(faultsOf('CreateTranslationResponseVerboseJson', answer)).toBeNull()
    expect(schemas.TranslationVerboseJson.parse(answer)).toMatchObject({
      task: 'translate',
      language: 'english',
      source_language: 'danish',
      segments: [{ text: ' The train leaves', start: 0 }, { text: ' at eight.' }],
    })
  })

  test('is in English where nobody speaks, too', async () => {
    server.transcriber.transcript = { ...silentTranscript(), task: 'translate' }
    const answer: unknown = await (await post({ response_format: 'verbose_json', language: 'auto' })).json()

    expect(schemas.TranslationVerboseJson.parse(answer)).toMatchObject({ text: '', language: 'english' })
    expect(answer).not.toHaveProperty('source_language')
  })

  test.each([
    ['text', 'text/plain; charset=utf-8', /^The train leaves at eight\.\n$/],
    ['srt', 'application/x-subrip; charset=utf-8', /^1\n00:00:00,000 --> /],
    ['vtt', 'text/vtt; charset=utf-8', /^WEBVTT\n\n00:00:00\.000 --> /],
  ])('is %s of type %s when asked', async (response_format, contentType, body) => {
    const response = await post({ response_format })

    expect(response.headers.get('content-type')).toBe(contentType)
    expect(await response.text()).toMatch(body)
  })

  test('is streamed when asked', async () => {
    const response = await post({ stream: 'true' })

    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/)
    expect(await response.text()).toContain('"transcript.text.done"')
  })
})

describe('what the engine is asked', () => {
  test.each<[Record<string, string>, object]>([
    [{}, { task: 'translate', language: 'da', temperature: 0, wantsWords: false, wantsGuards: true }],
    [{ response_format: 'srt' }, { wantsWords: false }],
    [{ task: 'transcribe' }, { task: 'translate' }],
    [
      { language: 'tysk', prompt: 'Copenhagen', temperature: '0.2', guards: 'false' },
      { language: 'de', prompt: 'Copenhagen', temperature: 0.2, wantsGuards: false },
    ],
    [{ languages: 'da,sv' }, { candidateLanguages: ['da', 'sv'] }],
  ])('%o', async (fields, options) => {
    expect((await post(fields)).status).toBe(200)

    expect(server.transcriber.asked[0]?.options).toMatchObject(options)
  })
})

describe('a refusal', () => {
  test.each([
    [{ response_format: 'diarized_json' }, 400, 'response_format', 'invalid_value'],
    [{ temperature: '3' }, 400, 'temperature', 'invalid_value'],
    [{ language: 'klingon' }, 400, 'language', 'invalid_language'],
    [{ model: 'gpt-5' }, 404, 'model', 'model_not_found'],
  ])('%o', async (fields, status, param, code) => {
    expect(await errorOf(await post(fields as Record<string, string>))).toMatchObject({ status, param, code })
    expect(await server.leftovers()).toEqual([])
  })

  test.each(['/v1/audio/translations', '/v1/audio/transcriptions'])(
    'says at %s that a model of English only translates nothing',
    async (path) => {
      server.engine.state = { phase: 'ready', facts: { ...FACTS, canTranslate: false } }

      const body = form({ task: 'translate' })
      const error = await errorOf(await server.app.request(path, { method: 'POST', body }))

      expect(error).toMatchObject({ status: 400, code: 'translation_unsupported', param: 'model' })
      expect(error.message).toMatch(/English only/)
      expect(server.transcriber.asked).toEqual([])
    },
  )

  test('asks for patience while nobody knows what the model can', async () => {
    server.engine.state = { phase: 'loading', message: 'loading', fraction: null }

    const response = await post()

    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await errorOf(response)).toMatchObject({ status: 503, code: 'engine_loading' })
  })
})
