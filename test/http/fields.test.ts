/** Every field of a transcription in every spelling: what the engine is asked, and what is told. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as schemas from '../../src/http/response-schemas.ts'
import { faultsOf } from '../contract/openai-schemas.ts'
import { segmentOf, silentTranscript, transcriptOf } from '../formats/transcripts.ts'
import { form, startParts } from './parts.ts'

type Fields = Record<string, string | string[]>

let server: Awaited<ReturnType<typeof startParts>>
beforeAll(async () => {
  server = await startParts()
})
beforeEach(() => {
  server.transcriber.asked.length = 0
  server.transcriber.transcript = transcriptOf([' Toget kører', ' klokken otte.'])
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

const post = (fields: Fields) =>
  server.app.request('/v1/audio/transcriptions', { method: 'POST', body: form(fields) })

async function askedBy(fields: Fields) {
  const response = await post(fields)
  const body = await response.text()
  if (response.status !== 200) throw new Error(body)
  return server.transcriber.asked[0]?.options
}

/** Held against our schema and OpenAI's. */
async function answerTo(fields: Fields) {
  const answer: unknown = await (await post(fields)).json()
  const faults = faultsOf('CreateTranscriptionResponseJson', answer)
  if (faults !== null) throw new Error(JSON.stringify(faults))
  return schemas.TranscriptionJson.parse(answer)
}

describe('languages', () => {
  test.each<[string, Fields]>([
    ['as SDKs write them', { 'languages[]': ['da', 'en'] }],
    ['numbered', { 'languages[0]': 'da', 'languages[1]': 'en' }],
    ['repeated', { languages: ['da', 'en'] }],
    ['as JSON', { languages: '["da", "en"]' }],
    ['as Python prints them', { languages: "['da', 'en']" }],
    ['with commas', { languages: 'da, en' }],
    ['by their names', { 'languages[]': ['Danish', 'engelsk'] }],
    ['said twice', { 'languages[]': ['da', 'dansk', 'en', 'en-US'] }],
    ['beside the wish to detect', { language: 'auto', 'languages[]': ['da', 'en'] }],
    ['with empty ones between', { 'languages[]': ['', 'da', ' ', 'en'] }],
  ])('%s are what is detected among', async (_spelling, fields) => {
    const options = await askedBy(fields)

    expect(options?.candidateLanguages).toEqual(['da', 'en'])
    expect(options).not.toHaveProperty('language')
  })

  test.each<[string, Fields, string]>([
    ['a single one is no choice', { 'languages[]': 'en' }, 'en'],
    ['a single one in two spellings is none either', { languages: 'en, english' }, 'en'],
    ['a language that is named wins', { language: 'da', 'languages[]': ['en', 'de'] }, 'da'],
    ['an empty list is no list', { languages: '[]' }, 'da'],
  ])('%s', async (_what, fields, language) => {
    const options = await askedBy(fields)

    expect(options?.language).toBe(language)
    expect(options).not.toHaveProperty('candidateLanguages')
  })

  test.each([{ language: 'auto' }, { language: 'AUTO' }, { languages: 'auto' }, { languages: 'da,auto' }])(
    '%o leaves the choice among all of them',
    async (fields) => {
      const options = await askedBy(fields)

      expect(options).not.toHaveProperty('language')
      expect(options).not.toHaveProperty('candidateLanguages')
    },
  )

  test.each<[Fields, object | undefined]>([
    [{ 'languages[]': ['da', 'en'] }, [{ code: 'da' }]],
    [{ model: 'gpt-transcribe' }, [{ code: 'da' }]],
    [{ model: 'whisper-1' }, undefined],
    [{}, undefined],
  ])('%o lists in json: %o', async (fields, languages) => {
    expect((await answerTo(fields)).languages).toEqual(languages)
  })

  test('lists none where nobody speaks', async () => {
    server.transcriber.transcript = silentTranscript()

    expect((await answerTo({ 'languages[]': ['da', 'en'] })).languages).toEqual([])
  })
})

describe('keywords', () => {
  test.each<[Fields, string[]]>([
    [{ 'keywords[]': ['Ærøskøbing', 'Hviske 2'] }, ['Ærøskøbing', 'Hviske 2']],
    [{ keywords: 'Ærøskøbing,Hviske 2' }, ['Ærøskøbing', 'Hviske 2']],
    [{ keywords: '["Hansen, Jensen & Co"]' }, ['Hansen, Jensen & Co']],
    [{ keywords: '[1984, "x"]' }, ['1984', 'x']],
    [{ keywords: '[ikke JSON]' }, ['ikke JSON']],
  ])('%o are told to the model', async (fields, keywords) => {
    expect((await askedBy(fields))?.keywords).toEqual(keywords)
  })

  test('are absent when they are empty', async () => {
    expect(await askedBy({ 'keywords[]': '', keywords: ' , ' })).not.toHaveProperty('keywords')
  })
})

describe('include', () => {
  const token = { token: ' Ja', logprob: -0.25, bytes: [32, 74, 97] }
  const include = { 'include[]': 'logprobs' }

  test('adds the tokens to json', async () => {
    server.transcriber.transcript = transcriptOf([], {
      segments: [segmentOf(' Ja', 0, { logprobs: [token] })],
    })

    expect((await answerTo(include)).logprobs).toEqual([token])
    expect(server.transcriber.asked[0]?.options.wantsLogprobs).toBe(true)
  })

  test.each<[Fields, boolean]>([
    [{}, false],
    [{ include: 'logprobs' }, true],
    [{ ...include, stream: 'true' }, true],
    [{ ...include, stream: 'true', response_format: 'text' }, true],
    [{ ...include, response_format: 'verbose_json' }, false],
    [{ ...include, response_format: 'srt' }, false],
  ])('%o asks the engine for tokens: %s', async (fields, wantsLogprobs) => {
    expect((await askedBy(fields))?.wantsLogprobs).toBe(wantsLogprobs)
  })
})

describe('stream', () => {
  test.each([
    ['true', true],
    ['True', true],
    ['1', true],
    ['false', false],
    ['0', false],
    ['', false],
  ])('%j asks for the text as it is being decoded: %s', async (stream, isStreamed) => {
    const response = await post({ stream, response_format: 'verbose_json' })
    await response.text()

    expect(response.headers.get('content-type')).toMatch(isStreamed ? /^text\/event-stream/ : /json/)
    expect(server.transcriber.asked[0]?.options).toMatchObject({
      wantsDeltas: isStreamed,
      // Events tell no times.
      wantsWords: !isStreamed,
    })
  })
})

describe('chunking_strategy', () => {
  const half = { threshold: 0.5, paddingMs: 300, silenceMs: 200 }

  test.each<[string, Fields, object]>([
    [
      'in brackets',
      {
        'chunking_strategy[type]': 'server_vad',
        'chunking_strategy[threshold]': '0.5',
        'chunking_strategy[prefix_padding_ms]': '300',
        'chunking_strategy[silence_duration_ms]': '200',
      },
      half,
    ],
    [
      'as JSON',
      {
        chunking_strategy:
          '{"type":"server_vad","threshold":0.5,"prefix_padding_ms":300,"silence_duration_ms":200}',
      },
      half,
    ],
    ['in part', { 'chunking_strategy[silence_duration_ms]': '200' }, { silenceMs: 200 }],
    [
      'both at once, the brackets winning',
      { chunking_strategy: '{"threshold": "0.2"}', 'chunking_strategy[threshold]': '0.3' },
      { threshold: 0.3 },
    ],
    [
      'with what is empty or unknown',
      { chunking_strategy: '{"threshold":null,"prefix_padding_ms":"","silence_duration_ms":0,"x":{}}' },
      { silenceMs: 0 },
    ],
    [
      'as Vexa says it',
      { max_speech_duration_s: '15', min_silence_duration_ms: '160' },
      { maxSpeechSeconds: 15, silenceMs: 160 },
    ],
    ['as Vexa says it, longer than a window', { max_speech_duration_s: '60.5' }, { maxSpeechSeconds: 29 }],
    [
      'in both ways, OpenAI’s winning',
      { 'chunking_strategy[silence_duration_ms]': '500', min_silence_duration_ms: '160' },
      { silenceMs: 500 },
    ],
  ])('%s', async (_spelling, fields, detection) => {
    expect((await askedBy(fields))?.speechDetection).toEqual(detection)
  })

  test.each<[Fields]>([
    [{}],
    [{ chunking_strategy: 'auto' }],
    [{ chunking_strategy: 'server_vad' }],
    [{ chunking_strategy: '{"type":"server_vad"}' }],
    [{ chunking_strategy: '{"type":"auto","threshold":0.4}' }],
    [{ chunking_strategy: 'null' }],
    [{ chunking_strategy: '' }],
  ])('%o leaves it to the speech detector', async (fields) => {
    expect(await askedBy(fields)).not.toHaveProperty('speechDetection')
  })
})

describe('the other fields', () => {
  test.each<[Fields, object]>([
    [{ temperature: ' 0.5 ' }, { temperature: 0.5 }],
    [{ temperature: ['0.2', '0.4'] }, { temperature: 0.4 }],
    [{ task: 'translate' }, { task: 'translate', wantsWords: false }],
    [{ task: 'transcribe' }, { task: 'transcribe' }],
    [{ transcription_tier: 'deferred' }, { task: 'transcribe' }],
    [{ 'known_speaker_names[]': ['A', 'B'], 'known_speaker_references[]': 'data:' }, { task: 'transcribe' }],
    [{ vad_filter: 'true', 'x[a]': '1', 'timestamp_granularities[]': 'word' }, { wantsWords: false }],
    [{ prompt: ' ', language: ' ' }, { language: 'da' }],
  ])('%o', async (fields, options) => {
    const asked = await askedBy(fields)

    expect(asked).toMatchObject(options)
    expect(asked).not.toHaveProperty('prompt')
  })

  test('a translation asked for under this address has no word times either', async () => {
    server.transcriber.transcript = transcriptOf([' The train leaves.'], { task: 'translate' })
    const response = await post({
      task: 'translate',
      response_format: 'verbose_json',
      'timestamp_granularities[]': 'word',
    })

    const answer = schemas.TranscriptionVerboseJson.parse(await response.json())
    expect(answer).toMatchObject({ task: 'translate', language: 'english', source_language: 'danish' })
    expect(answer).not.toHaveProperty('words')
  })
})

test('a JSON body says the same as a form', async () => {
  const body = {
    input_audio: { data: Buffer.from('audio').toString('base64'), format: 'wav' },
    model: null,
    language: 'auto',
    languages: ['da', 'en'],
    keywords: ['Ærø'],
    temperature: 0.5,
    include: ['logprobs'],
    stream: false,
    chunking_strategy: { type: 'server_vad', threshold: 0.4, silence_duration_ms: null },
    guards: false,
    x: { y: [1] },
  }
  const response = await server.app.request('/v1/audio/transcriptions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

  expect(schemas.TranscriptionJson.parse(await response.json()).languages).toEqual([{ code: 'da' }])
  expect(server.transcriber.asked[0]?.options).toEqual({
    task: 'transcribe',
    candidateLanguages: ['da', 'en'],
    keywords: ['Ærø'],
    speechDetection: { threshold: 0.4 },
    temperature: 0.5,
    wantsWords: false,
    wantsLogprobs: true,
    wantsDeltas: false,
    wantsGuards: false,
  })
})
