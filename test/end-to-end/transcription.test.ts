import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  AUDIO,
  plainWords,
  type RunningServer,
  repeated,
  startServer,
  truthOf,
  untilEngineIsBusy,
} from './server.ts'

let server: RunningServer
let client: OpenAI

beforeAll(async () => {
  // The same clips come again and again here, and each is to be transcribed.
  server = await startServer({ JOIN_RETRIES: 'off' })
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none-needed', maxRetries: 0 })
})
afterAll(async () => {
  await server.stop()
})

const clip = (name: string) => createReadStream(join(AUDIO, name))

/** verbose_json as we send it: OpenAI's fields and ours beside them. */
interface Verbose {
  readonly text: string
  readonly language: string
  readonly language_code: string
  readonly language_probability?: number
  readonly duration: number
  readonly words?: readonly { readonly word: string; readonly start: number; readonly end: number }[]
  readonly segments: readonly {
    readonly id: number
    readonly start: number
    readonly end: number
    readonly text: string
    readonly tokens: readonly number[]
    readonly avg_logprob: number
    readonly no_speech_prob: number
    readonly compression_ratio: number
    readonly temperature: number
    readonly words?: readonly { readonly word: string; readonly probability: number }[]
  }[]
}

async function verbose(name: string, options: { language?: string } = { language: 'da' }): Promise<Verbose> {
  const answer = await client.audio.transcriptions.create({
    file: clip(name),
    model: 'whisper-1',
    response_format: 'verbose_json',
    timestamp_granularities: ['word', 'segment'],
    ...options,
  })
  return answer as unknown as Verbose
}

describe('the official OpenAI SDK', () => {
  test('gets the Danish sentence as json', async () => {
    const { text } = await client.audio.transcriptions.create({ file: clip('da.wav'), model: 'whisper-1' })

    expect(plainWords(text)).toEqual(plainWords((await truthOf('da')).text))
  })

  test('gets plain text that is the json text', async () => {
    const json = await client.audio.transcriptions.create({ file: clip('da.wav'), model: 'whisper-1' })
    const text = await client.audio.transcriptions.create({
      file: clip('da.wav'),
      model: 'whisper-1',
      response_format: 'text',
    })

    expect(String(text).trim()).toBe(json.text)
  })

  test('gets word times that are where the words were spoken', async () => {
    const { words } = await verbose('da.wav')
    const truth = await truthOf('da')

    expect(words?.map(({ word }) => plainWords(word).join(''))).toEqual(
      truth.words.map(({ word }) => plainWords(word).join('')),
    )
    const errors = truth.words
      .map(({ start }, index) => Math.abs((words?.[index]?.start ?? Infinity) - start))
      .sort((a, b) => a - b)
    expect(errors[Math.floor(errors.length / 2)]).toBeLessThan(0.12)
  })

  test('gets segments with all of their figures', async () => {
    const answer = await verbose('da.wav')
    const truth = await truthOf('da')

    expect(answer.language).toBe('danish')
    expect(answer.language_code).toBe('da')
    expect(answer.duration).toBeCloseTo(truth.duration, 1)
    for (const segment of answer.segments) {
      expect(segment.avg_logprob).toBeGreaterThan(-1)
      expect(segment.avg_logprob).toBeLessThanOrEqual(0)
      expect(segment.no_speech_prob).toBeLessThan(0.5)
      expect(segment.compression_ratio).toBeGreaterThan(0)
      expect(segment.temperature).toBe(0)
      expect(segment.tokens.length).toBeGreaterThan(0)
    }
  })

  test('gets srt and vtt cues that hold the text', async () => {
    const request = { file: clip('da.wav'), model: 'whisper-1' } as const
    const srt = String(await client.audio.transcriptions.create({ ...request, response_format: 'srt' }))
    const vtt = String(
      await client.audio.transcriptions.create({ ...request, file: clip('da.wav'), response_format: 'vtt' }),
    )

    expect(srt).toMatch(/^1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\n/)
    expect(vtt).toMatch(/^WEBVTT\n\n00:00:0\d\.\d{3} --> 00:00:0\d\.\d{3}\n/)
    const spoken = plainWords((await truthOf('da')).text)
    const cueText = (subtitles: string) =>
      subtitles
        .split('\n')
        .filter((line) => !/-->|^\d*$|^WEBVTT/.test(line))
        .join(' ')
    expect(plainWords(cueText(srt))).toEqual(spoken)
    expect(plainWords(cueText(vtt))).toEqual(spoken)
  })
})

test.each(['da.mp3', 'da.m4a', 'da.webm', 'da.flac', 'da.ogg', 'da.mp4'])(
  '%s says the same as da.wav',
  async (name) => {
    const { text } = await client.audio.transcriptions.create({ file: clip(name), model: 'whisper-1' })

    expect(plainWords(text)).toEqual(plainWords((await truthOf('da')).text))
  },
)

test('a 70 s recording loses and doubles no word at the cuts', async () => {
  const answer = await verbose('long.wav')
  const truth = await truthOf('long')

  expect(plainWords(answer.text)).toEqual(plainWords(truth.text))
  expect(answer.segments.length).toBeGreaterThan(3)
})

test('text, joined segments and joined words are one and the same', async () => {
  const answer = await verbose('long.wav')

  const fromSegments = answer.segments.map(({ text }) => text).join('')
  const fromWords = answer.segments.flatMap(({ words = [] }) => words.map(({ word }) => word)).join('')
  expect(fromSegments.trim()).toBe(answer.text)
  expect(fromWords.trim()).toBe(answer.text)
  expect(answer.words?.length).toBe(answer.segments.flatMap(({ words = [] }) => words).length)
})

test('segments and words stand in order and inside the recording', async () => {
  const { segments, words = [], duration } = await verbose('long.wav')

  for (const times of [segments, words]) {
    for (const [index, { start, end }] of times.entries()) {
      expect(start).toBeGreaterThanOrEqual(times[index - 1]?.end ?? 0)
      expect(end).toBeGreaterThanOrEqual(start)
      expect(end).toBeLessThanOrEqual(duration + 0.001)
    }
  }
})

test.each([
  ['da', 'danish'],
  ['en', 'english'],
  ['de', 'german'],
])('the language of %s.wav is heard when it is asked to be detected', async (code, name) => {
  const answer = await verbose(`${code}.wav`, { language: 'auto' })

  expect(answer.language).toBe(name)
  expect(answer.language_probability).toBeGreaterThan(0.5)
  expect(plainWords(answer.text)).toEqual(plainWords((await truthOf(code)).text))
})

test('detect-language answers with a probability for every language, which add up to one', async () => {
  const body = new FormData()
  body.append('file', await clipAsFile('da.wav'))
  const response = await fetch(`${server.url}/detect-language`, { method: 'POST', body })
  const answer = (await response.json()) as {
    language: string
    language_code: string
    probability: number
    languages: { code: string; probability: number }[]
  }

  expect(answer).toMatchObject({ language: 'danish', language_code: 'da' })
  expect(answer.languages.length).toBeGreaterThanOrEqual(99)
  expect(answer.languages.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 2)
})

test('POST /transcribe answers people with text, segments, words and the file name', async () => {
  const body = new FormData()
  body.append('file', await clipAsFile('da.wav'))
  const response = await fetch(`${server.url}/transcribe`, { method: 'POST', body })
  const answer = (await response.json()) as {
    text: string
    segments: unknown[]
    words: unknown[]
    filename: string
  }

  expect(plainWords(answer.text)).toEqual(plainWords((await truthOf('da')).text))
  expect(answer.filename).toBe('da.wav')
  expect(answer.words.length).toBe((await truthOf('da')).words.length)
})

test('silence is an empty text', async () => {
  const { text, segments } = await verbose('silence.wav')

  expect(text).toBe('')
  expect(segments).toEqual([])
})

test('silence has no language to be detected, and none is made up', async () => {
  const answer = await verbose('silence.wav', { language: 'auto' })

  expect(answer.language).toBe('unknown')
  expect(answer).not.toHaveProperty('language_code')
})

test('clear speech is the same without guards', async () => {
  const options = { language: 'da', guards: 'false' }

  expect((await verbose('da.wav', options)).text).toBe((await verbose('da.wav')).text)
})

test('ten requests at once each get their own answer', async () => {
  const names = ['da', 'en', 'de', 'da', 'en', 'de', 'da', 'en', 'de', 'da']
  const answers = await Promise.all(names.map((name) => verbose(`${name}.wav`, { language: name })))

  for (const [index, answer] of answers.entries()) {
    const truth = await truthOf(names[index] ?? '')
    expect(plainWords(answer.text)).toEqual(plainWords(truth.text))
  }
})

test('a short clip is not kept waiting by a long recording', async () => {
  const giveUp = new AbortController()
  const longBody = new FormData()
  longBody.append('file', await repeated('long.wav', 30), 'long.wav')
  let isLongAnswered = false
  const long = fetch(`${server.url}/v1/audio/transcriptions`, {
    method: 'POST',
    body: longBody,
    signal: giveUp.signal,
  }).then(
    () => (isLongAnswered = true),
    () => {},
  )
  await untilEngineIsBusy(server)

  const { text } = await verbose('da.wav')

  // The 35 minutes need many times what the clip needs, so their order is no matter of luck.
  expect(isLongAnswered).toBe(false)
  expect(plainWords(text)).toEqual(plainWords((await truthOf('da')).text))
  giveUp.abort()
  await long
})

test('the same request twice gives the same answer', async () => {
  const [first, second] = [await verbose('long.wav'), await verbose('long.wav')]

  expect(second).toEqual(first)
})

test('health tells what runs and where', async () => {
  const response = await fetch(`${server.url}/health`)

  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ status: 'healthy', model_loaded: true, device: 'cpu' })
})

async function clipAsFile(name: string): Promise<File> {
  const { openAsBlob } = await import('node:fs')
  return new File([await openAsBlob(join(AUDIO, name))], name)
}
