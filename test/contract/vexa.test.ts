/**
 * A client in Vexa's manner: the multipart bodies that its clients were seen to send, and the reading that they do of
 * the answers. The real server hears them.
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { AUDIO, plainWords, type RunningServer, startServer, truthOf } from '../end-to-end/server.ts'
import { type Part, post } from './multipart.ts'
import { startWitness, type Witness } from './witness.ts'

const KEY = 'vexa-token'

let server: RunningServer
let witness: Witness
let url: string
let recording: Buffer
let said: string[]
beforeAll(async () => {
  server = await startServer({ API_KEYS: KEY })
  witness = await startWitness(server.url)
  url = `${witness.url}/v1/audio/transcriptions`
  recording = await readFile(join(AUDIO, 'da.wav'))
  said = plainWords((await truthOf('da')).text)
})
afterEach(() => {
  assert.deepEqual(witness.faults, [])
})
afterAll(async () => {
  await witness[Symbol.asyncDispose]()
  await server.stop()
})

interface VexaWord {
  readonly word: string
  readonly start: number
  readonly end: number
  readonly probability: number
}
interface VexaSegment {
  readonly start: number
  readonly end: number
  readonly audio_start?: number
  readonly audio_end?: number
  readonly text: string
  readonly tokens: readonly number[]
  readonly seek: number
  readonly avg_logprob: number
  readonly no_speech_prob: number
  readonly compression_ratio: number
  readonly words?: readonly VexaWord[]
}
interface VexaAnswer {
  readonly text: string
  readonly language: string
  readonly language_probability?: number
  readonly duration: number
  readonly segments: readonly VexaSegment[]
}

/** Bodies as the client of 2026 builds them: the file first, the list's name without brackets. */
const transcription = (fields: Record<string, string> = {}): Part[] => [
  { name: 'file', filename: 'audio.wav', type: 'audio/wav', value: recording },
  { name: 'model', value: 'whisper-1' },
  { name: 'response_format', value: 'verbose_json' },
  { name: 'timestamp_granularities', value: 'word' },
  ...Object.entries(fields).map(([name, value]) => ({ name, value })),
]
const asVexa = { authorization: `Bearer ${KEY}` }
async function answerTo(
  parts: readonly Part[],
  headers: Record<string, string> = asVexa,
): Promise<VexaAnswer> {
  const { status, body } = await post(url, parts, headers)
  expect(status).toBe(200)
  return JSON.parse(body) as VexaAnswer
}

/** Its filters: a segment that they drop would never reach a meeting's transcript. */
const isDropped = ({ no_speech_prob, avg_logprob, compression_ratio }: VexaSegment) =>
  (no_speech_prob > 0.6 && avg_logprob < -1) || compression_ratio > 2.4 || avg_logprob < -1.3
const isWindowDropped = ({ segments: [first], language_probability }: VexaAnswer, isPinned: boolean) =>
  first !== undefined &&
  ((first.no_speech_prob > 0.5 && first.avg_logprob < -0.7) ||
    (first.avg_logprob < -0.8 && first.end - first.start < 2) ||
    (!isPinned && (language_probability ?? 0) > 0 && (language_probability ?? 0) < 0.3))

describe('the meeting client', () => {
  test.each([
    ['without a language', {}],
    ['with the language pinned and what was said before', { language: 'da', prompt: 'vi tales ved' }],
    ['with its own knobs', { max_speech_duration_s: '15', min_silence_duration_ms: '160' }],
  ])('finds nested words that joined verbatim are the segment: %s', async (_how, fields) => {
    const answer = await answerTo(transcription(fields))

    expect(answer.segments.length).toBeGreaterThan(0)
    for (const { text, words = [] } of answer.segments) {
      expect(words.map(({ word }) => word).join('')).toBe(text)
      expect(words.every(({ word }) => word.startsWith(' '))).toBe(true)
    }
    expect(plainWords(answer.text)).toEqual(said)
  })

  test('has the language as a code', async () => {
    expect(await answerTo(transcription())).toMatchObject({ language: 'da', duration: 5.803 })
  })

  test('hears how probable a language is when it asked for that', async () => {
    const { language, language_probability } = await answerTo(transcription({ language: 'auto' }))

    expect(language).toBe('da')
    expect(language_probability).toBeGreaterThan(0.3)
    expect(language_probability).toBeLessThanOrEqual(1)
  })

  test('drops nothing of clear speech: the figures that its filters read are real', async () => {
    const answer = await answerTo(transcription({ language: 'auto' }))

    expect(answer.segments.filter(isDropped)).toEqual([])
    expect(isWindowDropped(answer, false)).toBe(false)
    for (const { avg_logprob, compression_ratio, words = [] } of answer.segments) {
      expect(avg_logprob).toBeLessThan(0)
      expect(compression_ratio).toBeGreaterThan(0)
      for (const { probability, start, end } of words) {
        expect(probability).toBeGreaterThan(0)
        expect(probability).toBeLessThanOrEqual(1)
        expect(end).toBeGreaterThanOrEqual(start)
      }
    }
  })

  test('gets no segments where nobody speaks', async () => {
    const [file, ...fields] = transcription()
    const silence = await readFile(join(AUDIO, 'silence.wav'))
    const answer = await answerTo([{ ...file, name: 'file', value: silence }, ...fields])

    expect(answer).toMatchObject({ text: '', segments: [] })
  })
})

describe('the check at boot', () => {
  const probe = (): Part[] => [
    { name: 'model', value: 'whisper-1' },
    { name: 'response_format', value: 'json' },
    { name: 'file', filename: 'probe.wav', type: 'audio/wav', value: secondOfSilence() },
  ]

  test('of one second of silence is answered with a text', async () => {
    const { status, body } = await post(url, probe(), asVexa)

    expect(status).toBe(200)
    expect(JSON.parse(body)).toMatchObject({ text: '' })
  })

  test.each([
    ['a wrong token', { authorization: 'Bearer nobody' }],
    ['no token', {}],
  ])('tells %s by the status', async (_what, headers) => {
    expect((await post(url, probe(), headers)).status).toBe(401)
  })

  test('asks for a balance that we do not have, which is a 404', async () => {
    const response = await fetch(`${server.url}/balance`, { headers: { 'x-api-key': KEY } })

    expect(response.status).toBe(404)
  })
})

describe('the older remote transcriber', () => {
  const legacy = (fields: Record<string, string> = {}): Part[] => [
    ...Object.entries({
      model: 'default',
      temperature: '0',
      transcription_tier: 'realtime',
      response_format: 'verbose_json',
      timestamp_granularities: 'segment',
      ...fields,
    }).map(([name, value]) => ({ name, value })),
    { name: 'file', filename: 'audio.wav', type: 'audio/wav', value: recording },
  ]
  const headers = { 'x-api-key': KEY, 'x-transcription-tier': 'realtime' }

  test('reads each segment’s times under its own names', async () => {
    const answer = await answerTo(legacy({ language: 'da' }), headers)

    expect(plainWords(answer.segments.map(({ text }) => text).join(''))).toEqual(said)
    for (const { audio_start, audio_end, start, end, tokens, seek } of answer.segments) {
      expect([audio_start, audio_end]).toEqual([start, end])
      expect(tokens.length).toBeGreaterThan(0)
      expect(seek).toEqual(expect.any(Number))
    }
  })

  test('has a translation made on the same address', async () => {
    const answer = await answerTo(legacy({ task: 'translate', language: 'da' }), headers)

    expect(answer).toMatchObject({ task: 'translate', text: expect.any(String) as string })
  })

  test('is heard also as the deferred one', async () => {
    const answer = await answerTo(legacy({ transcription_tier: 'deferred', vad_model: 'silero' }), {
      ...headers,
      'x-transcription-tier': 'deferred',
    })

    expect(plainWords(answer.text)).toEqual(said)
  })
})

/** 16 kHz, 16 bits, one channel: the 44 bytes of header that the probe has, then zeros. */
function secondOfSilence(): Buffer {
  const wav = Buffer.alloc(44 + 32_000)
  wav.write('RIFF', 0)
  wav.writeUInt32LE(36 + 32_000, 4)
  wav.write('WAVEfmt ', 8)
  wav.writeUInt32LE(16, 16)
  wav.writeUInt16LE(1, 20)
  wav.writeUInt16LE(1, 22)
  wav.writeUInt32LE(16_000, 24)
  wav.writeUInt32LE(32_000, 28)
  wav.writeUInt16LE(2, 32)
  wav.writeUInt16LE(16, 34)
  wav.write('data', 36)
  wav.writeUInt32LE(32_000, 40)
  return wav
}
