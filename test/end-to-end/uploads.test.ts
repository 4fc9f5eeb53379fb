// The real server: a recording that came in pieces is transcribed by its id, in both protocols.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import OpenAI, { toFile } from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AUDIO, plainWords, type RunningServer, startServer, truthOf } from './server.ts'
import { uploadByTus } from './tus-upload.ts'

let server: RunningServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(async () => {
  await server.stop()
})

test('uploads by tus and in parts are heard like the file itself, and lie where the next server finds them', async () => {
  const bytes = await readFile(join(AUDIO, 'da.wav'))
  const openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none-needed' })
  const { uploads } = openai
  const { id } = await uploads.create({
    bytes: bytes.length,
    filename: 'da.wav',
    mime_type: 'audio/wav',
    purpose: 'user_data',
  })
  const halves = [bytes.subarray(0, bytes.length >> 1), bytes.subarray(bytes.length >> 1)]
  const parts = await Promise.all(
    halves.map(async (half) => uploads.parts.create(id, { data: await toFile(half, 'part') })),
  )
  await uploads.complete(id, { part_ids: parts.map((part) => part.id) })
  const byTus = await uploadByTus(server.url, bytes)

  const heard = await Promise.all([id, byTus].map(transcribed))

  const { text } = await truthOf('da')
  expect(heard.map(plainWords)).toEqual([plainWords(text), plainWords(text)])
  const left = await server.leftovers()
  expect(left.filter((path) => path.endsWith('/content'))).toHaveLength(2)
  expect(left.every((path) => path.includes('/uploads/'))).toBe(true)
})

async function transcribed(upload_id: string): Promise<string> {
  const body = new FormData()
  body.append('upload_id', upload_id)
  const answer = await fetch(`${server.url}/v1/audio/transcriptions`, { method: 'POST', body })
  expect(answer.status).toBe(200)
  return ((await answer.json()) as { text: string }).text
}
