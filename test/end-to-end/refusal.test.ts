import { createReadStream } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import OpenAI, { BadRequestError, toFile } from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AUDIO, type RunningServer, startServer } from './server.ts'

let server: RunningServer
let client: OpenAI

beforeAll(async () => {
  server = await startServer({ MAX_AUDIO_SECONDS: '60', MAX_UPLOAD_BYTES: '4000000' })
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none-needed', maxRetries: 0 })
})
afterAll(async () => {
  await server.stop()
})

const model = 'whisper-1'

test.each([
  [
    'a text file named .mp3',
    () => toFile(Buffer.from('dette er ikke lyd\n'.repeat(200)), 'tale.mp3'),
    'invalid_audio',
  ],
  ['an empty file', () => toFile(Buffer.alloc(0), 'tom.wav'), 'empty_file'],
  ['a video without sound', () => createReadStream(join(AUDIO, 'silent-video.mp4')), 'no_audio_track'],
  ['a recording longer than is allowed', () => createReadStream(join(AUDIO, 'long.wav')), 'audio_too_long'],
])('%s is refused with a 400 that helps, and nothing is left behind', async (_what, file, code) => {
  const refusal = await client.audio.transcriptions
    .create({ file: await file(), model })
    .catch((error: unknown) => error)

  expect(refusal).toBeInstanceOf(BadRequestError)
  expect(refusal).toMatchObject({ status: 400, code, type: 'invalid_request_error' })
  expect((refusal as BadRequestError).requestID).toBeTruthy()
  expect(await server.leftovers()).toEqual([])
})

test('an unknown response_format is refused by name, with the allowed ones', async () => {
  const refusal = await client.audio.transcriptions
    .create({ file: createReadStream(join(AUDIO, 'da.wav')), model, response_format: 'docx' as 'json' })
    .catch((error: unknown) => error)

  expect(refusal).toMatchObject({ status: 400, param: 'response_format' })
  expect(String(refusal)).toMatch(/docx.*json.*verbose_json/s)
  expect(await server.leftovers()).toEqual([])
})

test('a missing file is refused by name', async () => {
  const body = new FormData()
  body.append('model', model)
  const response = await fetch(`${server.url}/v1/audio/transcriptions`, { method: 'POST', body })

  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ error: { param: 'file', code: 'missing_file' } })
})

test('a body larger than the limit is refused before it has been read', async () => {
  const refusal = await client.audio.transcriptions
    .create({ file: await toFile(Buffer.alloc(5_000_000), 'stor.wav'), model })
    .catch((error: unknown) => error)

  expect(refusal).toMatchObject({ status: 413, code: 'file_too_large' })
  expect(await server.leftovers()).toEqual([])
})

test('a client that hangs up in the middle of its upload leaves nothing behind', async () => {
  const upload = request(`${server.url}/v1/audio/transcriptions`, {
    method: 'POST',
    headers: { 'content-type': 'multipart/form-data; boundary=x', 'transfer-encoding': 'chunked' },
  })
  upload.on('error', () => {}) // our own hang-up
  upload.write('--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n')
  upload.write(Buffer.alloc(100_000))
  await expect.poll(() => server.leftovers()).not.toEqual([])

  upload.destroy()

  await expect.poll(() => server.leftovers()).toEqual([])
})
