/** The real OpenAI SDK against a listening server, and its answers against OpenAI's own schemas. */
import { createReadStream } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import OpenAI, { APIError, BadRequestError, InternalServerError, NotFoundError, toFile } from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { silentTranscript, transcriptOf } from '../formats/transcripts.ts'
import { startParts } from '../http/parts.ts'
import { faultsOf } from './openai-schemas.ts'

let parts: Awaited<ReturnType<typeof startParts>>
let server: Server
let client: OpenAI

beforeAll(async () => {
  parts = await startParts({}, { maxUploadBytes: 100_000 })
  server = serve({ fetch: parts.app.fetch, port: 0, hostname: '127.0.0.1' }) as Server
  if (!server.listening) await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  client = new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none-needed', maxRetries: 0 })
})
beforeEach(() => {
  parts.transcriber.before = async () => {}
  parts.transcriber.transcript = transcriptOf([' Toget kører,', ' klokken otte.'])
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await parts[Symbol.asyncDispose]()
})

const upload = () => toFile(Buffer.from('RIFF'), 'tale.wav')
const create = async (options: object = {}) =>
  (await client.audio.transcriptions.create({
    file: await upload(),
    model: 'whisper-1',
    ...options,
  })) as unknown
const refusalOf = async (options: object = {}) =>
  create(options).then(
    () => expect.unreachable(),
    (error: unknown) => error as APIError,
  )

describe('a transcription', () => {
  test('is OpenAI’s json', async () => {
    const answer = await create()

    expect(faultsOf('CreateTranscriptionResponseJson', answer)).toBeNull()
    expect(answer).toEqual({ text: 'Toget kører, klokken otte.', usage: { type: 'duration', seconds: 3 } })
  })

  test.each([
    ['text', /^Toget kører, klokken otte\.\n$/],
    ['srt', /^1\n00:00:00,000 --> /],
    ['vtt', /^WEBVTT\n\n00:00:00\.000 --> /],
  ])('is a string in the format %s', async (response_format, expected) => {
    expect(await create({ response_format })).toMatch(expected)
  })

  test.each([
    [['word', 'segment'], true],
    [['word'], true],
    [['segment'], false],
  ])('is OpenAI’s verbose_json with granularities %j', async (timestamp_granularities, hasWords) => {
    const answer = (await create({ response_format: 'verbose_json', timestamp_granularities })) as {
      words?: { word: string }[]
      segments: unknown[]
    }

    expect(faultsOf('CreateTranscriptionResponseVerboseJson', answer)).toBeNull()
    expect(answer).toMatchObject({ task: 'transcribe', language: 'danish', duration: 2.15 })
    expect(answer.segments).toHaveLength(2)
    expect(answer.words?.map(({ word }) => word)).toEqual(
      hasWords ? ['Toget', 'kører', 'klokken', 'otte'] : undefined,
    )
  })

  test('is valid also when nobody spoke and the language was detected', async () => {
    parts.transcriber.transcript = silentTranscript()

    const answer = await create({ response_format: 'verbose_json', timestamp_granularities: ['word'] })

    expect(faultsOf('CreateTranscriptionResponseVerboseJson', answer)).toBeNull()
    expect(answer).toMatchObject({ text: '', segments: [], words: [], language: 'unknown' })
  })

  test('carries a request id that the SDK finds', async () => {
    expect(await create()).toHaveProperty('_request_id', expect.stringMatching(/^[\w-]{36}$/))
  })
})

describe('a failure', () => {
  test('of a field is a BadRequestError that names it', async () => {
    const refusal = await refusalOf({ response_format: 'diarized_json' })

    expect(refusal).toBeInstanceOf(BadRequestError)
    expect(refusal).toMatchObject({
      param: 'response_format',
      code: 'invalid_value',
      type: 'invalid_request_error',
    })
    expect(refusal.requestID).toMatch(/^[\w-]{36}$/)
  })

  test('of the model’s name is a NotFoundError', async () => {
    const refusal = await refusalOf({ model: 'gpt-5' })

    expect(refusal).toBeInstanceOf(NotFoundError)
    expect(refusal.code).toBe('model_not_found')
  })

  test.each([
    ['with a length', () => toFile(Buffer.alloc(3_000_000), 'stor.wav')],
    ['in chunks, as streams are sent', () => createReadStream('/dev/zero', { end: 3_000_000 })],
  ])('of size is a 413 that the SDK can read, when the body comes %s', async (_how, file) => {
    expect(await refusalOf({ file: await file() })).toMatchObject({ status: 413, code: 'file_too_large' })
  })

  test('of ours is an InternalServerError', async () => {
    parts.transcriber.before = async () => {
      throw new Failure('queue_full', 'Busy.', { retryAfterSeconds: 1 })
    }

    expect(await refusalOf()).toBeInstanceOf(InternalServerError)
  })

  test('that says when to come back is retried and then succeeds', async () => {
    let tries = 0
    parts.transcriber.before = async () => {
      if (tries++ === 0) throw new Failure('queue_full', 'Busy.', { retryAfterSeconds: 1 })
    }

    const patient = client.withOptions({ maxRetries: 1 })
    const answer = await patient.audio.transcriptions.create({ file: await upload(), model: 'whisper-1' })

    expect(answer.text).toBe('Toget kører, klokken otte.')
    expect(tries).toBe(2)
  })

  test.each(['/v1/nowhere', '/v1/models/gpt-5'])('is OpenAI’s envelope: %s', async (path) => {
    expect(faultsOf('ErrorResponse', await (await parts.app.request(path)).json())).toBeNull()
  })
})

describe('models', () => {
  test('are listed as OpenAI lists them', async () => {
    const ids: string[] = []
    for await (const model of client.models.list()) {
      expect(faultsOf('Model', model)).toBeNull()
      ids.push(model.id)
    }

    expect(ids).toContain('whisper-1')
    expect(faultsOf('ListModelsResponse', await (await parts.app.request('/v1/models')).json())).toBeNull()
  })

  test('are found by an id with a slash', async () => {
    expect(await client.models.retrieve('syvai/hviske-v2')).toMatchObject({
      id: 'syvai/hviske-v2',
      object: 'model',
    })
  })
})

test('a client that hangs up while its recording is transcribed ends that work and leaves nothing on disk', async () => {
  const started = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  parts.transcriber.before = async (_source, signal) => {
    started.resolve()
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    ended.resolve()
    signal.throwIfAborted()
  }
  const hangUp = new AbortController()
  const request = client.audio.transcriptions.create(
    { file: await upload(), model: 'whisper-1' },
    { signal: hangUp.signal },
  )

  await started.promise
  hangUp.abort()

  await expect(request).rejects.toThrow(APIError)
  await ended.promise
  await expect.poll(() => parts.leftovers()).toEqual([])
})
