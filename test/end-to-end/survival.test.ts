// A real server with a real model, whose Python child is killed while it works.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AUDIO, type RunningServer, repeated, startServer } from './server.ts'

let server: RunningServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(async () => {
  await server.stop()
})

/** `no-store`, so that nobody is answered with what another one has been told. */
async function post(audio: Blob, fields: Record<string, string> = {}): Promise<Response> {
  const body = new FormData()
  body.append('file', audio, 'audio.wav')
  for (const [name, value] of Object.entries({ response_format: 'verbose_json', ...fields })) {
    body.append(name, value)
  }
  const headers = { 'cache-control': 'no-store' }
  return fetch(`${server.url}/v1/audio/transcriptions`, { method: 'POST', headers, body })
}

interface Told {
  readonly status: number
  readonly text: string
  readonly deltas?: string
}

/** What a stream says in the end, and its deltas joined. */
async function stream(audio: Blob): Promise<Told> {
  const response = await post(audio, { stream: 'true', language: 'da', response_format: 'json' })
  let deltas = ''
  for (const line of (await response.text()).split('\n')) {
    if (!line.startsWith('data: {')) continue
    const event = JSON.parse(line.slice('data: '.length))
    if (event.type === 'transcript.text.delta') deltas += event.delta
    if (event.type === 'transcript.text.done') return { status: response.status, text: event.text, deltas }
  }
  throw new Error('the stream ended without `done`')
}

async function transcribe(audio: Blob): Promise<Told> {
  const response = await post(audio)
  const { text } = (await response.json()) as { text: string }
  return { status: response.status, text }
}

/** Until so many recordings have their turns at the engine; asks as fast as the server answers. */
async function untilRunning(count: number): Promise<void> {
  for (;;) {
    const health = (await (await fetch(`${server.url}/health`)).json()) as { queue: { active: number } }
    if (health.queue.active >= count) return
  }
}

test('kill -9 of the child: everybody is answered 200, with the text that was there before', async () => {
  const clips = await Promise.all(
    ['da', 'en', 'de'].map(async (name) => new Blob([await readFile(join(AUDIO, `${name}.wav`))])),
  )
  const longs = await Promise.all([repeated('long.wav', 2), repeated('da.wav', 8), repeated('long.wav', 1)])
  const ask = () => [
    ...longs.map(transcribe),
    stream(longs[0] ?? new Blob([])),
    stream(longs[2] ?? new Blob([])),
    ...clips.map(transcribe),
  ]
  const undisturbed = await Promise.all(ask())
  const pid = server.enginePid()

  const answers = ask()
  await untilRunning(5)
  process.kill(pid, 'SIGKILL')

  expect(await Promise.all(answers)).toEqual(undisturbed)
  expect(undisturbed.every(({ status, text }) => status === 200 && text !== '')).toBe(true)
  for (const { text, deltas = text } of undisturbed) expect(deltas).toBe(text)
  expect(server.enginePid()).not.toBe(pid)
  expect(await server.leftovers()).toEqual([])
})
