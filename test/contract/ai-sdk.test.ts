/** Vercel's AI SDK, unchanged, against the real server. It sends no response_format of its own accord and reads every figure of a segment. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createOpenAI, type OpenAITranscriptionModelOptions } from '@ai-sdk/openai'
import { APICallError, transcribe } from 'ai'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { AUDIO, plainWords, type RunningServer, startServer, truthOf } from '../end-to-end/server.ts'
import { startWitness, type Witness } from './witness.ts'

const KEY = 'sk-the-right-one'

let server: RunningServer
let witness: Witness
let said: string[]
let recording: Uint8Array
beforeAll(async () => {
  server = await startServer({ API_KEYS: KEY })
  witness = await startWitness(server.url)
  said = plainWords((await truthOf('da')).text)
  recording = await readFile(join(AUDIO, 'da.wav'))
})
afterEach(() => {
  assert.deepEqual(witness.faults, [])
})
afterAll(async () => {
  await witness[Symbol.asyncDispose]()
  await server.stop()
})

const ask = (
  model = 'whisper-1',
  openai: OpenAITranscriptionModelOptions = {},
  { audio = recording, apiKey = KEY } = {},
) =>
  transcribe({
    model: createOpenAI({ baseURL: `${witness.url}/v1`, apiKey }).transcription(model),
    audio,
    providerOptions: { openai },
    maxRetries: 0,
  })

test.each(['whisper-1', 'gpt-transcribe', 'gpt-4o-mini-transcribe', 'tiny-da'])(
  'a recording becomes text with the model named %s',
  async (model) => {
    const { text, durationInSeconds } = await ask(model)

    expect(plainWords(text)).toEqual(said)
    expect(Math.round(durationInSeconds ?? 0)).toBe(6)
  },
)

test('nothing but a model and a recording is needed', async () => {
  const model = createOpenAI({ baseURL: `${witness.url}/v1`, apiKey: KEY }).transcription('whisper-1')

  expect(plainWords((await transcribe({ model, audio: recording })).text)).toEqual(said)
})

test('segments have their times, and the language is understood', async () => {
  const { segments, language, durationInSeconds } = await ask('whisper-1', {
    timestampGranularities: ['segment'],
  })

  expect(plainWords(segments.map(({ text }) => text).join(''))).toEqual(said)
  expect(language).toBe('da')
  expect(durationInSeconds).toBe(5.803)
  for (const { startSecond, endSecond } of segments) expect(endSecond).toBeGreaterThan(startSecond)
})

test('words are asked for with their brackets and arrive', async () => {
  const { words } = await ask('whisper-1', { timestampGranularities: ['word'], prompt: 'Museet.' })

  const { requestFields } = witness.testimonies().at(-1) ?? { requestFields: [] }
  expect(requestFields).toContainEqual(['timestamp_granularities[]', 'word'])
  expect(words?.map(({ text }) => plainWords(text).join(''))).toEqual(said)
})

test('a recording without speech is an empty text', async () => {
  const audio = await readFile(join(AUDIO, 'silence.wav'))

  expect(await ask('whisper-1', {}, { audio })).toMatchObject({ text: '', segments: [] })
})

test.each([
  ['a wrong key', () => ask('whisper-1', {}, { apiKey: 'sk-a-wrong-one' }), 401, /key/i],
  ['an unknown model', () => ask('gpt-5'), 404, /gpt-5/],
  ['a language that is none', () => ask('whisper-1', { language: 'klingon' }), 400, /klingon/],
])('%s is an APICallError with the sentence that we wrote', async (_what, asked, statusCode, message) => {
  const error = await asked().catch((reason: unknown) => reason)

  expect(error).toBeInstanceOf(APICallError)
  expect(error).toMatchObject({ statusCode, message: expect.stringMatching(message) as string })
})
