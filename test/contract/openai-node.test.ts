/** OpenAI's SDK for Node in the three major versions that people run, unchanged, against the real server. */
import assert from 'node:assert/strict'
import { createReadStream, openAsBlob } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as current from 'openai'
import * as v4 from 'openai-v4'
import * as v6 from 'openai-v6'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AUDIO, plainWords, type RunningServer, startServer, truthOf } from '../end-to-end/server.ts'
import { startWitness, type Witness } from './witness.ts'

const KEY = 'sk-the-right-one'
const DA = join(AUDIO, 'da.wav')

let server: RunningServer
let witness: Witness
let said: string[]
beforeAll(async () => {
  server = await startServer({ API_KEYS: KEY })
  witness = await startWitness(server.url)
  said = plainWords((await truthOf('da')).text)
})
beforeEach(() => {
  witness.testimonies()
})
afterAll(async () => {
  await witness[Symbol.asyncDispose]()
  assert.deepEqual(await server.stop(), { exitCode: 0, leftovers: [] })
})

// What we use of them is the same in all three, but their types know nothing of each other.
const SDKS = [
  { version: '7', sdk: current },
  { version: '6', sdk: v6 as unknown as typeof current },
  { version: '4', sdk: v4 as unknown as typeof current },
]

describe.each(SDKS)('openai-node $version', ({ sdk }) => {
  const { default: OpenAI, toFile } = sdk
  const connect = (apiKey = KEY) => new OpenAI({ baseURL: `${witness.url}/v1`, apiKey, maxRetries: 0 })
  let client: current.OpenAI
  beforeAll(() => {
    client = connect()
  })

  const create = (options: object = {}) =>
    client.audio.transcriptions.create({
      file: createReadStream(DA),
      model: 'whisper-1',
      ...options,
    }) as unknown as Promise<Record<string, unknown>>
  const refusalOf = (asked: Promise<unknown>) =>
    asked.then(
      () => expect.unreachable(),
      (error: unknown) => error as current.APIError,
    )

  test('gets json with usage and the request id', async () => {
    const answer = await create()

    expect(plainWords(String(answer.text))).toEqual(said)
    expect(answer.usage).toEqual({ type: 'duration', seconds: 6 })
    expect(answer._request_id).toBe(witness.testimonies()[0]?.responseHeaders['x-request-id'])
  })

  test.each([
    ['text', /peter/i],
    ['srt', /^1\n00:00:0\d,\d{3} --> 00:00:0\d,\d{3}\npeter/i],
    ['vtt', /^WEBVTT\n\n00:00:0\d\.\d{3} --> 00:00:0\d\.\d{3}\npeter/i],
  ])('gets %s as a string', async (response_format, expected) => {
    expect(await create({ response_format })).toMatch(expected)
  })

  test('gets verbose_json with words, in time and within the segments', async () => {
    const answer = (await create({
      response_format: 'verbose_json',
      timestamp_granularities: ['word', 'segment'],
    })) as unknown as current.OpenAI.Audio.TranscriptionVerbose

    expect(answer).toMatchObject({ language: 'danish', duration: 5.803 })
    expect(answer.words?.map(({ word }) => plainWords(word).join(''))).toEqual(said)
    expect(plainWords(answer.segments?.map(({ text }) => text).join('') ?? '')).toEqual(said)
    const times = answer.words?.flatMap(({ start, end }) => [start, end]) ?? []
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  })

  test.each(['whisper-1', 'gpt-4o-transcribe', 'default'])(
    'streams from the model named %s: joined deltas are the text, and the tokens are counted',
    async (model) => {
      const stream = await client.audio.transcriptions.create(
        { file: createReadStream(DA), model, stream: true },
        { headers: { 'cache-control': 'no-store' } }, // or the second name gets what the first one got, at once
      )
      const deltas: string[] = []
      let done: current.OpenAI.Audio.TranscriptionTextDoneEvent | undefined
      for await (const event of stream) {
        if (event.type === 'transcript.text.delta') deltas.push(event.delta)
        if (event.type === 'transcript.text.done') done = event
      }

      expect(plainWords(done?.text ?? '')).toEqual(said)
      expect(deltas.join('')).toBe(done?.text)
      expect(deltas.length).toBeGreaterThan(1)
      const { input_tokens = 0, output_tokens = 0, total_tokens } = done?.usage ?? {}
      expect(output_tokens).toBeGreaterThan(0)
      expect(total_tokens).toBe(input_tokens + output_tokens)
    },
  )

  test('streams through a web stream of lines, as server code hands it on', async () => {
    const stream = await client.audio.transcriptions.create({
      file: createReadStream(DA),
      model: 'whisper-1',
      stream: true,
    })
    let lines = ''
    const decoder = new TextDecoder()
    for await (const chunk of stream.toReadableStream() as AsyncIterable<Uint8Array>) {
      lines += decoder.decode(chunk, { stream: true })
    }

    const types = lines
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { type: string }).type)
    expect(types.at(-1)).toBe('transcript.text.done')
    expect(new Set(types.slice(0, -1))).toEqual(new Set(['transcript.text.delta']))
  })

  test('stops in the middle of a stream, and the server goes on with the next request', async () => {
    const stream = await client.audio.transcriptions.create({
      file: createReadStream(join(AUDIO, 'long.wav')),
      model: 'whisper-1',
      stream: true,
    })
    for await (const event of stream) if (event.type === 'transcript.text.delta') break

    expect(plainWords(String((await create()).text))).toEqual(said)
  })

  test.each([
    ['a stream from disk', () => createReadStream(DA)],
    ['a Blob that toFile names', async () => toFile(await openAsBlob(DA), 'da.wav')],
    ['bytes without a name', async () => toFile(await readFile(DA))],
    ['a File with a type', async () => new File([await readFile(DA)], 'da.wav', { type: 'audio/wav' })],
    ['a recording of a browser', () => toFile(createReadStream(join(AUDIO, 'da.webm')), 'blob')],
    [
      'the type of a browser',
      async () =>
        toFile(await readFile(join(AUDIO, 'da.webm')), 'tale.webm', { type: 'audio/webm;codecs=opus' }),
    ],
    ['a name with marks and letters', async () => toFile(await readFile(DA), 'mø"de; på 1.wav')],
    ['the answer to another request', async () => fetch(await dataUrl(DA))],
  ])('sends %s', async (_what, file) => {
    expect(plainWords(String((await create({ file: await file() })).text))).toEqual(said)
  })

  test('translates, and is told that the answer is English', async () => {
    const file = () => createReadStream(DA)
    const plain = await client.audio.translations.create({ file: file(), model: 'whisper-1' })
    const verbose = await client.audio.translations.create({
      file: file(),
      model: 'whisper-1',
      response_format: 'verbose_json',
    })

    expect(plain.text).toEqual(expect.any(String))
    expect(verbose).toMatchObject({ language: 'english', text: plain.text })
  })

  test('lists the models and finds each by its id, also where that holds a slash', async () => {
    const ids: string[] = []
    for await (const model of client.models.list()) ids.push(model.id)

    expect(ids).toEqual(expect.arrayContaining(['whisper-1', 'Systran/faster-whisper-large-v3']))
    for (const id of ids) expect((await client.models.retrieve(id)).id).toBe(id)
  })

  test('is refused a deletion', async () => {
    const models = client.models as unknown as Record<
      'delete' | 'del',
      ((id: string) => Promise<unknown>) | undefined
    >
    const remove = models.delete ?? models.del // v4 has the shorter name
    const refusal = await refusalOf(remove?.call(models, 'tiny-da') ?? Promise.resolve())

    expect(refusal).toBeInstanceOf(sdk.PermissionDeniedError)
    expect(refusal.code).toBe('model_not_deletable')
  })

  test.each([
    ['a value', { response_format: 'docx' }, 'BadRequestError', 400, 'response_format', 'invalid_value'],
    ['a number', { temperature: 7 }, 'BadRequestError', 400, 'temperature', 'invalid_value'],
    ['a language', { language: 'klingon' }, 'BadRequestError', 400, 'language', 'invalid_language'],
    ['a model', { model: 'gpt-5' }, 'NotFoundError', 404, 'model', 'model_not_found'],
  ] as const)(
    'is told which field holds %s that cannot be used',
    async (_what, options, name, status, param, code) => {
      const refusal = await refusalOf(create(options))

      expect(refusal).toBeInstanceOf(sdk[name])
      expect(refusal).toMatchObject({ status, param, code, type: 'invalid_request_error' })
      const [testimony] = witness.testimonies()
      expect(refusal.requestID ?? (refusal as { request_id?: string }).request_id).toBe(
        testimony?.responseHeaders['x-request-id'],
      )
    },
  )

  test('is told that its key is wrong, and not which would be right', async () => {
    const refusal = await refusalOf(connect('sk-a-wrong-one').models.list())

    expect(refusal).toBeInstanceOf(sdk.AuthenticationError)
    expect(refusal.code).toBe('invalid_api_key')
    expect(witness.testimonies()[0]?.body).not.toContain(KEY)
  })

  test('has seen no answer that OpenAI’s schemas forbid', () => {
    expect(witness.faults).toEqual([])
  })
})

test('a stream from disk is sent in chunks, without a length', async () => {
  const client = new current.OpenAI({ baseURL: `${witness.url}/v1`, apiKey: KEY })
  await client.audio.transcriptions.create({ file: createReadStream(DA), model: 'whisper-1' })

  const [testimony] = witness.testimonies()
  expect(testimony?.requestHeaders).toMatchObject({ 'transfer-encoding': 'chunked' })
  expect(testimony?.requestHeaders).not.toHaveProperty('content-length')
})

async function dataUrl(path: string): Promise<string> {
  return `data:audio/wav;base64,${(await readFile(path)).toString('base64')}`
}
