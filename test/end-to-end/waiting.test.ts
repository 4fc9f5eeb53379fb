// A long answer of a real server begins early, and the real SDK reads it like any other.
import OpenAI, { toFile } from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { plainWords, type RunningServer, repeated, startServer, truthOf } from './server.ts'

let server: RunningServer

beforeAll(async () => {
  server = await startServer({ EARLY_HEADERS_AFTER_SECONDS: '1' })
})
afterAll(async () => {
  await server.stop()
})

test('an answer that takes longer than is set begins without its text, and is the same in the end', async () => {
  const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none-needed', maxRetries: 0 })
  const times = 15 // 17 minutes: several seconds for the quickest machine, and one is set
  const file = await toFile(await repeated('long.wav', times), 'long.wav')

  const { data, response } = await client.audio.transcriptions
    .create({ file, model: 'whisper-1', language: 'da' })
    .withResponse()

  expect(response.status).toBe(200)
  expect(response.headers.get('x-accel-buffering')).toBe('no') // which only answers have that began early
  const truth = plainWords((await truthOf('long')).text)
  const words = plainWords(data.text)
  expect(words.length).toBeGreaterThan(truth.length * times * 0.97)
  expect(words.length).toBeLessThan(truth.length * times * 1.03)
})
