// Streams of a real server with a real model, read by the real SDK.
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AUDIO, plainWords, type RunningServer, repeated, startServer, truthOf } from './server.ts'

let server: RunningServer
let client: OpenAI

beforeAll(async () => {
  server = await startServer()
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none-needed', maxRetries: 0 })
})
afterAll(async () => {
  await server.stop()
})

const clip = (name: string) => createReadStream(join(AUDIO, name))

/** What a stream said: its deltas, and what it said in the end. */
async function streamed(name: string, options: { include?: 'logprobs'[]; prompt?: string } = {}) {
  const request = { file: clip(name), model: 'whisper-1', language: 'da', ...options } as const
  const stream = await client.audio.transcriptions.create({ ...request, stream: true })
  const deltas: OpenAI.Audio.TranscriptionTextDeltaEvent[] = []
  for await (const event of stream) {
    if (event.type === 'transcript.text.delta') deltas.push(event)
    if (event.type === 'transcript.text.done') return { deltas, done: event }
  }
  throw new Error('the stream ended without `done`')
}

test('a stream says what was spoken, in many pieces that are the text', async () => {
  const { deltas, done } = await streamed('long.wav')

  expect(plainWords(done.text)).toEqual(plainWords((await truthOf('long')).text))
  expect(deltas.map(({ delta }) => delta).join('')).toBe(done.text)
  expect(deltas.length).toBeGreaterThan(20)
})

test('a stream counts its tokens', async () => {
  const { done } = await streamed('da.wav', { prompt: 'Toget kører.' })
  const { duration } = await truthOf('da')
  const { usage } = done

  expect(usage?.input_token_details?.audio_tokens).toBe(Math.ceil(Math.round(duration * 16_000) / 320))
  expect(usage?.input_token_details?.text_tokens).toBeGreaterThan(0)
  expect(usage?.output_tokens).toBeGreaterThan(0)
  expect(usage?.total_tokens).toBe((usage?.input_tokens ?? 0) + (usage?.output_tokens ?? 0))
})

test('a stream with logprobs says the same, and how probable each token was', async () => {
  const { deltas, done } = await streamed('long.wav', { include: ['logprobs'] })
  const bytesOf = (tokens: readonly { bytes?: readonly number[] }[] = []) =>
    Buffer.from(tokens.flatMap(({ bytes = [] }) => bytes)).toString()

  expect(plainWords(done.text)).toEqual(plainWords((await truthOf('long')).text))
  expect(deltas.map(({ delta }) => delta).join('')).toBe(done.text)
  expect(bytesOf(done.logprobs).trim()).toBe(done.text)
  expect(deltas.flatMap(({ logprobs = [] }) => logprobs)).toEqual(done.logprobs)
  for (const { logprob } of done.logprobs ?? []) expect(logprob).toBeLessThanOrEqual(0)
})

test('silence is a stream without deltas', async () => {
  expect(await streamed('silence.wav')).toMatchObject({ deltas: [], done: { text: '' } })
})

test('a client that leaves in the middle leaves nothing behind', async () => {
  const body = new FormData()
  body.append('file', await repeated('long.wav', 20), 'long.wav')
  body.append('stream', 'true')
  const leave = new AbortController()
  const url = `${server.url}/v1/audio/transcriptions`
  // Nobody else wants this answer, and nobody comes back for it.
  const headers = { 'cache-control': 'no-store' }
  const response = await fetch(url, { method: 'POST', headers, body, signal: leave.signal })
  const reader = response.body?.getReader()
  expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toContain('transcript.text.delta')

  leave.abort()

  await expect.poll(() => server.leftovers(), { timeout: 20_000 }).toEqual([])
  const health = (await (await fetch(`${server.url}/health`)).json()) as { queue: { active: number } }
  expect(health.queue.active).toBe(0)
})
