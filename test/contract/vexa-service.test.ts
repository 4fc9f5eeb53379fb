/**
 * The README of Vexa's transcription service, section by section: its commands as they stand there, in front of our server
 * with its environment. Only the address and the recording's name are put in.
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import {
  AUDIO,
  plainWords,
  repeated,
  type RunningServer,
  runFile,
  startServer,
  truthOf,
} from '../end-to-end/server.ts'
import { startWitness, type Witness } from './witness.ts'

/** "Environment Variables", all of them; and DEVICE as "CPU Deployment" has it. */
const ENVIRONMENT = {
  WORKER_ID: '1',
  MODEL_SIZE: 'large-v3-turbo', // the tests' MODEL goes before it
  DEVICE: 'cpu',
  COMPUTE_TYPE: 'int8',
  CPU_THREADS: '4',
  MAX_CONCURRENT_TRANSCRIPTIONS: '2',
  MAX_QUEUE_SIZE: '10',
  FAIL_FAST_WHEN_BUSY: 'true',
  BUSY_RETRY_AFTER_S: '1',
}

const HEALTH = 'curl http://localhost:8083/health'
const TRANSCRIBE = `curl -X POST http://localhost:8083/v1/audio/transcriptions \\
  -H "Authorization: Bearer YOUR_API_KEY" \\
  -F "file=@audio.wav" \\
  -F "model=whisper-1" \\
  -F "response_format=verbose_json" \\
  -F "timestamp_granularities=segment"`
const LB_STATUS = 'curl http://localhost:8083/lb-status'
const INDIVIDUAL_WORKER = 'curl localhost:8000/health'
const CONVERTED_FILE = `curl -X POST http://localhost:8083/v1/audio/transcriptions \\
  -F "file=@audio_16k.wav" \\
  -F "model=whisper-1" \\
  -F "response_format=verbose_json"`

/** "Response Format": a segment's members. */
const SEGMENT = [
  'start',
  'end',
  'text',
  'audio_start',
  'audio_end',
  'avg_logprob',
  'compression_ratio',
  'no_speech_prob',
]

let server: RunningServer
let witness: Witness
let said: string[]
beforeAll(async () => {
  server = await startServer(ENVIRONMENT)
  witness = await startWitness(server.url)
  said = plainWords((await truthOf('da')).text)
})
afterEach(() => {
  assert.deepEqual(witness.faults, [])
})
afterAll(async () => {
  await witness[Symbol.asyncDispose]()
  await server.stop()
})

async function run(command: string): Promise<Record<string, unknown>> {
  const here = command
    .replace(/(http:\/\/)?localhost:(8083|8000)/, witness.url)
    .replace(/@audio(_16k)?\.wav/, `@${join(AUDIO, 'da.wav')}`)
  const { stdout } = await runFile('sh', ['-c', here.replace('curl', 'curl --silent --show-error')])
  return JSON.parse(stdout) as Record<string, unknown>
}

test('Quick Start: the status is healthy when the model is loaded', async () => {
  expect(await run(HEALTH)).toMatchObject({ status: 'healthy', model_loaded: true, device: 'cpu' })
})

test('Transcribe Audio: the answer has the members of “Response Format”, the language as a code', async () => {
  const answer = await run(TRANSCRIBE)

  expect(Object.keys(answer)).toEqual(expect.arrayContaining(['text', 'language', 'duration', 'segments']))
  expect(answer).toMatchObject({ language: 'da', duration: expect.any(Number) as number })
  const segments = answer['segments'] as Record<string, unknown>[]
  expect(segments.length).toBeGreaterThan(0)
  for (const segment of segments) expect(Object.keys(segment)).toEqual(expect.arrayContaining(SEGMENT))
  expect(
    segments
      .map(({ text }) => text)
      .join('')
      .trim(),
  ).toBe(answer['text'])
})

test('Environment Variables: they are what the server runs with', async () => {
  const health = await run(HEALTH)
  expect(health).toMatchObject({ worker_id: '1', model_name: 'models/tiny-da', compute_type: 'int8' })
  expect(await run(LB_STATUS)).toMatchObject({ totals: { places: 2 } })
  const environment = (await readFile(`/proc/${server.enginePid()}/environ`, 'utf8')).split('\0')
  expect(environment).toContain('OMP_NUM_THREADS=4')
})

test('Load management: whoever comes when both places are taken gets a 503 at once, and is told to come back in a second', async () => {
  const leaving = new AbortController()
  onTestFinished(() => leaving.abort())
  const post = (file: Blob, signal?: AbortSignal) => {
    const body = new FormData()
    body.append('file', file, 'recording.wav')
    return fetch(`${server.url}/v1/audio/transcriptions`, { method: 'POST', body, ...(signal && { signal }) })
  }
  // Two of different lengths: the same one twice would be heard once.
  const recordings = await Promise.all([60, 61].map((times) => repeated('long.wav', times)))
  const held = recordings.map((recording) => post(recording, leaving.signal).catch(() => undefined))
  await expect.poll(() => run(LB_STATUS), { timeout: 30_000 }).toMatchObject({ workers: [{ state: 'busy' }] })

  const refused = await post(await repeated('da.wav', 1))

  expect(refused.status).toBe(503)
  expect(refused.headers.get('retry-after')).toBe('1')
  leaving.abort()
  await Promise.all(held)
  await expect
    .poll(() => run(LB_STATUS), { timeout: 30_000 })
    .toMatchObject({ workers: [{ state: 'ready' }] })
})

test('Check Load Balancer Status: one server is its own worker', async () => {
  expect(await run(LB_STATUS)).toMatchObject({
    status: 'healthy',
    totals: { workers: 1, working: 1, taken_out: 0 },
    workers: [{ name: '1', state: 'ready', model: 'tiny-da', device: 'cpu' }],
  })
})

test('Check Individual Workers: each says which one it is', async () => {
  expect(await run(INDIVIDUAL_WORKER)).toMatchObject({ status: 'healthy', worker_id: '1' })
})

test('Transcription Fails: the converted file is heard without a key', async () => {
  expect(plainWords((await run(CONVERTED_FILE))['text'] as string)).toEqual(said)
})
