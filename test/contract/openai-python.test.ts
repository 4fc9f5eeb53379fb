/** OpenAI's SDK for Python in two major versions, unchanged, against the real server. What it asks stands in python/everything.py. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  AUDIO,
  plainWords,
  ROOT,
  type RunningServer,
  runFile,
  startServer,
  truthOf,
} from '../end-to-end/server.ts'
import { startWitness, type Testimony, type Witness } from './witness.ts'

const KEY = 'sk-the-right-one'
const PYTHON = join(ROOT, '.venv', 'bin', 'python')
const SCRIPT = join(import.meta.dirname, 'python', 'everything.py')

let server: RunningServer
let witness: Witness
let said: string[]
beforeAll(async () => {
  server = await startServer({ API_KEYS: KEY })
  witness = await startWitness(server.url)
  said = plainWords((await truthOf('da')).text)
})
afterAll(async () => {
  await witness[Symbol.asyncDispose]()
  assert.deepEqual(await server.stop(), { exitCode: 0, leftovers: [] })
})

interface Spoken {
  readonly text: string
  readonly type: string
  readonly id: string
}
interface Event {
  readonly type: string
  readonly delta?: string
  readonly text?: string
  readonly usage?: { readonly type: string; readonly total_tokens: number }
}

/** Where the older one lies: scripts/setup.mjs --dev put it there. */
const SDKS = [
  { major: '3', path: '' },
  { major: '2', path: join(ROOT, '.setup', 'openai-2') },
]

describe.each(SDKS)('openai-python $major', ({ major, path }) => {
  let answers: Record<string, unknown>
  let testimonies: Testimony[]
  beforeAll(async () => {
    const { stdout } = await runFile(PYTHON, [SCRIPT, witness.url, KEY, AUDIO], {
      env: { ...process.env, PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: '1' },
    })
    answers = JSON.parse(stdout) as Record<string, unknown>
    testimonies = witness.testimonies()
  })
  const spoken = (question: string) => answers[question] as Spoken

  test('is the version that it says', () => {
    expect(answers.version).toMatch(new RegExp(`^${major}\\.`))
  })

  test('gets json, and the request id that was sent', () => {
    expect(plainWords(spoken('json').text)).toEqual(said)
    expect(spoken('json')).toMatchObject({ type: 'Transcription', usage: { type: 'duration', seconds: 6 } })
    expect(spoken('json').id).toBe(testimonies[0]?.responseHeaders['x-request-id'])
  })

  test.each([
    ['text', /^peter/i],
    ['srt', /^1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\npeter/i],
    ['vtt', /^WEBVTT\n\n00:00:0\d\.\d{3} --> 00:00:0\d\.\d{3}\npeter/i],
    ['streamed_body', /^1\n00:00:0\d,\d{3} --> /],
  ])('gets a string for %s', (question, expected) => {
    expect(answers[question]).toMatch(expected)
  })

  test('gets verbose_json as its own class, with words', () => {
    const verbose = answers.verbose_json as Spoken & {
      words: { word: string }[]
      segments: { text: string }[]
    }

    expect(verbose).toMatchObject({ type: 'TranscriptionVerbose', language: 'danish', duration: 5.803 })
    expect(verbose.words.map(({ word }) => plainWords(word).join(''))).toEqual(said)
    expect(plainWords(verbose.segments.map(({ text }) => text).join(''))).toEqual(said)
  })

  test('gets the probability of every token of the text', () => {
    const { text, logprobs } = answers.logprobs as Spoken & {
      logprobs: { logprob: number; bytes: number[] }[]
    }

    expect(
      Buffer.from(logprobs.flatMap(({ bytes }) => bytes))
        .toString()
        .trim(),
    ).toBe(text)
    for (const { logprob } of logprobs) expect(logprob).toBeLessThanOrEqual(0)
  })

  test.each(['bytes', 'path', 'tuple', 'extra_body', 'chunking', 'raw_response'])(
    'is understood: %s',
    (question) => {
      expect(plainWords(spoken(question).text)).toEqual(said)
    },
  )

  test.each(['stream', 'stream_in_with'])('iterates over a %s whose deltas are the text', (question) => {
    const events = answers[question] as Event[]
    const done = events.at(-1)

    expect(plainWords(done?.text ?? '')).toEqual(said)
    expect(
      events
        .slice(0, -1)
        .map(({ delta }) => delta)
        .join(''),
    ).toBe(done?.text)
    expect(done?.usage).toMatchObject({ type: 'tokens' })
    expect(done?.usage?.total_tokens).toBeGreaterThan(0)
  })

  test('works in async code, streams included', () => {
    const { text, joined } = answers.in_async_code as { text: string; joined: string }

    expect(plainWords(text)).toEqual(said)
    expect(joined).toBe(text)
  })

  test('translates into what calls itself English', () => {
    expect(answers.verbose_translation).toMatchObject({
      language: 'english',
      text: spoken('translation').text,
    })
  })

  test('finds every model that it lists', () => {
    const { listed, found } = answers.models as { listed: string[]; found: string[] }

    expect(listed).toEqual(expect.arrayContaining(['whisper-1', 'Systran/faster-whisper-large-v3']))
    expect(found).toEqual(listed)
  })

  test.each([
    ['bad_value', 'BadRequestError', 400, 'invalid_value', 'response_format'],
    ['bad_model', 'NotFoundError', 404, 'model_not_found', 'model'],
    ['unknown_model', 'NotFoundError', 404, 'model_not_found', 'model'],
    ['wrong_key', 'AuthenticationError', 401, 'invalid_api_key', null],
    ['deletion', 'PermissionDeniedError', 403, 'model_not_deletable', 'model'],
  ])('is told what is wrong: %s', (question, error, status_code, code, param) => {
    expect(answers[question]).toEqual({
      error,
      status_code,
      code,
      param,
      type: 'invalid_request_error',
      request_id: expect.stringMatching(/^[\w-]{36}$/) as string,
    })
  })

  test('has seen no answer that OpenAI’s schemas forbid', () => {
    expect(witness.faults).toEqual([])
  })
})
