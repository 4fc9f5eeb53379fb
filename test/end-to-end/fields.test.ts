/** The fields that reach the model, through the real server and the real model. */
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as schemas from '../../src/http/response-schemas.ts'
import { AUDIO, plainWords, type RunningServer, startServer, truthOf } from './server.ts'

let server: RunningServer
let client: OpenAI

beforeAll(async () => {
  server = await startServer()
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none-needed', maxRetries: 0 })
})
afterAll(async () => {
  await server.stop()
})

const clip = (name: string) => ({ file: createReadStream(join(AUDIO, name)), model: 'whisper-1' }) as const

test('a translation says both languages, has no words, and its segments are its text', async () => {
  const answer = schemas.TranslationVerboseJson.parse(
    await client.audio.translations.create({ ...clip('da.wav'), response_format: 'verbose_json' }),
  )

  expect(answer).toMatchObject({ language: 'english', source_language: 'danish' })
  expect(answer.text).not.toBe('')
  expect(
    answer.segments
      .map(({ text }) => text)
      .join('')
      .trim(),
  ).toBe(answer.text)
  expect(answer.duration).toBeCloseTo((await truthOf('da')).duration, 1)
})

test.each(['srt', 'vtt', 'text', 'json'] as const)('a translation comes as %s', async (response_format) => {
  const answer: unknown = await client.audio.translations.create({ ...clip('da.wav'), response_format })

  expect(JSON.stringify(answer)).toMatch(/\p{L}/u)
})

test('among several languages the one that is spoken is found', async () => {
  const answer = await client.audio.transcriptions.create({ ...clip('en.wav'), languages: ['da', 'en'] })

  expect(schemas.TranscriptionJson.parse(answer).languages).toEqual([{ code: 'en' }])
  expect(plainWords(answer.text)).toEqual(plainWords((await truthOf('en')).text))
})

test('logprobs are those of the text, byte for byte', async () => {
  const answer = await client.audio.transcriptions.create({ ...clip('da.wav'), include: ['logprobs'] })

  const { text, logprobs = [] } = schemas.TranscriptionJson.parse(answer)
  expect(
    Buffer.from(logprobs.flatMap(({ bytes }) => bytes))
      .toString('utf8')
      .trim(),
  ).toBe(text)
})

test('a recording is divided as the request has it', async () => {
  const seeksOf = async (fields: Record<string, string>) => {
    const answer = await client.audio.transcriptions.create({
      ...clip('long.wav'),
      response_format: 'verbose_json',
      ...fields,
    })
    return new Set(schemas.TranscriptionVerboseJson.parse(answer).segments.map(({ seek }) => seek)).size
  }

  const usual = await seeksOf({})
  const atShortSilences = await seeksOf({ max_speech_duration_s: '5', min_silence_duration_ms: '100' })

  expect(atShortSilences).toBeGreaterThan(usual * 2)
})

test('keywords are told to the model, and clear speech stays as it is', async () => {
  const events = await client.audio.transcriptions.create({
    ...clip('da.wav'),
    stream: true,
    keywords: ['Ærøskøbing'],
  })

  for await (const event of events) {
    if (event.type !== 'transcript.text.done') continue
    const { text, usage } = schemas.TranscriptTextDoneEvent.parse(event)
    expect(plainWords(text)).toEqual(plainWords((await truthOf('da')).text))
    expect(usage?.input_token_details.text_tokens).toBeGreaterThan(0)
  }
  expect.assertions(2)
})
