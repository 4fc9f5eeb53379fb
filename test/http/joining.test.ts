/** Clients that ask again, over HTTP: what makes two uploads the same, and what the client is told. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import OpenAI, { toFile } from 'openai'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { createJoiningTranscriber } from '../../src/joining/joining-transcriber.ts'
import type { Transcriber } from '../../src/transcriber.ts'
import { FakeTimers } from '../joining/parts.ts'
import { errorOf, form, startParts } from './parts.ts'

const PATH = '/v1/audio/transcriptions'
let server: Awaited<ReturnType<typeof startJoining>>
beforeEach(async () => {
  server = await startJoining()
})

async function startJoining(settings: Record<string, string> = {}) {
  const made = await startParts(settings)
  onTestFinished(() => made[Symbol.asyncDispose]())
  const { parts, transcriber } = made
  const timers = new FakeTimers()
  const joining = createJoiningTranscriber({
    transcriber,
    directory: parts.spoolDir,
    log: parts.log,
    timers,
  })
  onTestFinished(() => joining[Symbol.asyncDispose]())
  const hasJoined = Promise.withResolvers<void>()
  const watched: Transcriber = {
    ...joining,
    transcribe: ({ onJoined, ...source }, options, signal) => {
      const watch = (state: 'running' | 'finished') => {
        onJoined?.(state)
        hasJoined.resolve()
      }
      return joining.transcribe({ ...source, onJoined: watch }, options, signal)
    },
  }
  const app = createApp({ ...parts, transcriber: watched })
  const post = (
    fields = {},
    headers: Record<string, string> = {},
    content = 'audio',
    signal?: AbortSignal,
  ) => {
    const body = form(fields, content)
    const request = new Request(`http://localhost${PATH}`, {
      method: 'POST',
      body,
      headers,
      ...(signal && { signal }),
    })
    return app.request(request)
  }
  return { ...made, app, timers, post, hasJoined: hasJoined.promise }
}

/** Work that goes on until the test ends it. */
function heldBack() {
  const begun = Promise.withResolvers<string>()
  const released = Promise.withResolvers<void>()
  server.transcriber.before = async ({ path }) => {
    begun.resolve(path)
    await released.promise
  }
  return { begun: begun.promise, release: released.resolve }
}

test('a client that gives up and asks again gets the answer to its first question', async () => {
  const { post, timers, transcriber, leftovers, hasJoined } = server
  const { begun, release } = heldBack()
  const hangUp = new AbortController()
  const first = post({}, {}, 'audio', hangUp.signal)
  const path = await begun
  timers.pass(60_000)
  hangUp.abort()
  expect((await first).status).toBe(499)
  timers.pass(5999)

  const retry = post()
  await hasJoined
  expect(await readFile(path, 'utf8')).toBe('audio')
  release()
  const answer = await retry

  expect(answer.status).toBe(200)
  expect(await answer.json()).toMatchObject({ text: 'Toget kører klokken otte.' })
  expect(transcriber.asked).toHaveLength(1)
  expect(await leftovers()).toEqual([])
})

test('an SDK that loses its patience and asks again by itself gets its answer from one work', async () => {
  const { app, transcriber, hasJoined } = server
  const { release } = heldBack()
  const listening = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server
  onTestFinished(() => listening.close().closeAllConnections())
  if (!listening.listening) await once(listening, 'listening')
  const { port } = listening.address() as AddressInfo
  const client = new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none-needed' })

  const answer = client.audio.transcriptions.create(
    { file: await toFile(Buffer.from('RIFF'), 'tale.wav'), model: 'whisper-1' },
    { timeout: 300, maxRetries: 5, headers: { 'idempotency-key': 'k' } },
  )
  await hasJoined
  release()

  expect((await answer).text).toBe('Toget kører klokken otte.')
  expect(transcriber.asked).toHaveLength(1)
  await expect.poll(server.leftovers).toEqual([])
})

test('a retry is told what it joined, and so is the log', async () => {
  const { post, logged } = server
  const { begun, release } = heldBack()
  const first = post()
  await begun
  const second = post()
  await server.hasJoined

  release()
  const answers = [await first, await second, await post()]

  expect(answers.map(({ headers }) => headers.get('x-joined'))).toEqual([null, 'running', 'finished'])
  const bodies = await Promise.all(answers.map((answer) => answer.text()))
  expect(new Set(bodies).size).toBe(1)
  const lines = logged.filter(({ message }) => message === 'request')
  expect(new Set(lines.map(({ joined }) => joined))).toEqual(new Set([undefined, 'running', 'finished']))
})

test.each([
  ['other bytes', {}, {}, 'sound'],
  ['another language', { language: 'en' }, {}, 'audio'],
  ['an Idempotency-Key', {}, { 'idempotency-key': 'k' }, 'audio'],
  ['Cache-Control: no-store', {}, { 'cache-control': 'no-store' }, 'audio'],
  ['Cache-Control: no-cache', {}, { 'cache-control': 'max-age=0, No-Cache' }, 'audio'],
])('%s is other work', async (_what, fields, headers, content) => {
  await server.post()

  const other = await server.post(fields, headers, content)

  expect(other.headers.get('x-joined')).toBeNull()
  expect(server.transcriber.asked).toHaveLength(2)
})

test.each([
  ['another format', { response_format: 'json' }, {}],
  ['another Cache-Control', {}, { 'cache-control': 'max-age=0' }],
  ['another request id', {}, { 'x-request-id': 'again' }],
  ['an empty Idempotency-Key', {}, { 'idempotency-key': '' }],
])('%s is no other work', async (_what, fields, headers) => {
  await server.post({ response_format: 'text' })

  const same = await server.post(fields, headers)

  expect(same.headers.get('x-joined')).toBe('finished')
  expect(server.transcriber.asked).toHaveLength(1)
})

test('what was not to be kept is not there for others', async () => {
  await server.post({}, { 'cache-control': 'no-store' })

  expect((await server.post()).headers.get('x-joined')).toBeNull()
})

test('/transcribe joins too', async () => {
  const post = () => server.app.request('/transcribe', { method: 'POST', body: form() })
  await post()

  expect((await post()).headers.get('x-joined')).toBe('finished')
  expect(server.transcriber.asked).toHaveLength(1)
})

test('JOIN_RETRIES=off starts everything anew', async () => {
  const { post, transcriber } = await startJoining({ JOIN_RETRIES: 'off' })

  for (const headers of [{}, { 'idempotency-key': 'k' }, { 'idempotency-key': 'k' }]) {
    expect((await post({}, headers)).headers.get('x-joined')).toBeNull()
  }

  expect(transcriber.asked).toHaveLength(3)
})

describe('Idempotency-Key', () => {
  test('with the same key and upload the work is found again after minutes', async () => {
    const key = { 'idempotency-key': 'k'.repeat(255) }
    await server.post({}, key)
    server.timers.pass(599_999)

    expect((await server.post({}, key)).headers.get('x-joined')).toBe('finished')
  })

  test('with the same key and another upload is other work, not an error', async () => {
    const key = { 'idempotency-key': 'k' }
    await server.post({}, key)

    const other = await server.post({}, key, 'sound')

    expect(other.status).toBe(200)
    expect(other.headers.get('x-joined')).toBeNull()
  })

  test.each([
    ['k'.repeat(256), /256 characters.*255/],
    ['nøgle', /5 characters.*printable ASCII/],
    ['a\tb', /3 characters.*printable ASCII/],
  ])('%s is refused', async (key, message) => {
    const error = await errorOf(await server.post({}, { 'idempotency-key': key }))

    expect(error).toMatchObject({ status: 400, code: 'invalid_value', param: 'Idempotency-Key' })
    expect(error.message).toMatch(message)
    expect(server.transcriber.asked).toEqual([])
    expect(await server.leftovers()).toEqual([])
  })
})

test('nobody joins the work of another key’s holder', async () => {
  const { post, transcriber } = await startJoining({ API_KEYS: 'one two' })
  const answers = []
  for (const key of ['one', 'two', 'one']) answers.push(await post({}, { authorization: `Bearer ${key}` }))

  expect(answers.map(({ headers }) => headers.get('x-joined'))).toEqual([null, null, 'finished'])
  expect(new Set(transcriber.asked.map(({ source }) => source.identity)).size).toBe(2)
})

test('an identity tells nothing of the key or the file', async () => {
  await server.post({}, { 'idempotency-key': 'my-key' })

  const identity = server.transcriber.asked[0]?.source.identity
  expect(identity).toMatch(/^[0-9a-f]{64}$/)
  expect(identity).not.toBe(createHash('sha256').update('audio').digest('hex'))
})
