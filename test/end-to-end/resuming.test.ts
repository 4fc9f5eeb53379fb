// The whole road with the real tiny model: a recording is parked at the edge of a window, and another engine goes on with it.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { decode } from '../../src/audio/decode.ts'
import { findFfmpeg } from '../../src/audio/ffmpeg.ts'
import { joinCheckpoints } from '../../src/engine/checkpoints.ts'
import { modelArguments, workerCommand } from '../../src/engine/command.ts'
import { createEngine, type Engine } from '../../src/engine/engine.ts'
import { readConfig } from '../../src/config.ts'
import { Failure } from '../../src/failure.ts'
import { createLog } from '../../src/log.ts'
import { Admission } from '../../src/queue/admission.ts'
import { Workload } from '../../src/queue/workload.ts'
import {
  type AudioSource,
  createTranscriber,
  type TranscribeOptions,
  type Transcriber,
} from '../../src/transcriber.ts'
import { collect, type Transcript, type WindowCheckpoint } from '../../src/transcript.ts'
import { AUDIO, ROOT } from './server.ts'

const NEVER = new AbortController().signal
const PATH = join(AUDIO, 'long.wav')
let spool: string
let engines: Engine[]
/** The one begins, the other goes on. */
let roads: Transcriber[]

beforeAll(async () => {
  spool = await mkdtemp(join(tmpdir(), 'hviske-resuming-'))
  const config = readConfig({ MODEL: join(ROOT, 'models', 'tiny-da'), DEVICE: 'cpu' })
  const command = workerCommand(config.pythonPath, modelArguments(config), spool)
  engines = [1, 2].map(() => createEngine({ command, log: createLog('silent') }))
  await Promise.all(engines.map((engine) => engine.start()))
  const ffmpeg = await findFfmpeg(config)
  roads = engines.map((engine) =>
    createTranscriber({
      workload: new Workload({ places: 1, maxWaiting: 1, isWorking: () => true, nowMs: () => 0 }),
      decode: (path, signal) => decode(ffmpeg, path, { directory: spool, maxSeconds: 3600 }, signal),
      decoding: new Admission({ places: 1 }),
      transcribing: new Admission({ places: 1 }),
      engine,
    }),
  )
})
afterAll(async () => {
  await Promise.all(engines.map((engine) => engine.stop()))
  await rm(spool, { recursive: true })
})

/** Words in short windows: so there are many edges, and each of them is in the middle of speech. */
const OPTIONS: TranscribeOptions = {
  task: 'transcribe',
  temperature: 0,
  speechDetection: { maxSpeechSeconds: 6 },
  wantsWords: true,
  wantsLogprobs: true,
  wantsDeltas: false,
  wantsGuards: true,
}

const transcribe = (road: Transcriber | undefined, source: Partial<AudioSource> = {}) => {
  if (road === undefined) throw new Error('there is no such road')
  return road.transcribe({ path: PATH, ...source }, OPTIONS, NEVER)
}

/** What was stored until it was parked: so many windows, or one more. */
async function parkedAfter(edge: number): Promise<WindowCheckpoint[]> {
  const park = new AbortController()
  const stored: string[] = []
  const reading = Array.fromAsync(
    transcribe(roads[0], { wantsCheckpoints: true, park: park.signal }),
    (event) => {
      if (event.kind !== 'checkpoint') return
      stored.push(JSON.stringify(event.checkpoint))
      if (event.checkpoint.windows === edge)
        park.abort(new Failure('shutting_down', 'The server is shutting down.'))
    },
  )
  await reading.catch((error: unknown) => {
    if (error !== park.signal.reason) throw error
  })
  return stored.map((line) => JSON.parse(line) as WindowCheckpoint)
}

test('parked at any window’s edge and gone on with in another engine, it is the same transcript', async () => {
  const whole: Transcript = await collect(transcribe(roads[1]))
  const all = await parkedAfter(Number.POSITIVE_INFINITY)
  expect(all.length).toBeGreaterThan(9)
  expect(whole.text).toMatch(/^Din far henter/)

  for (let edge = 1; edge <= all.length; edge++) {
    // Killed there, which leaves the same as being parked there.
    const stored = edge === 3 ? await parkedAfter(edge) : all.slice(0, edge)
    const done = stored.length
    const windows: number[] = []
    const events = transcribe(roads[1], { wantsCheckpoints: true, resumeFrom: joinCheckpoints(stored) })
    let transcript: Transcript | undefined
    for await (const event of events) {
      if (event.kind === 'checkpoint') windows.push(event.checkpoint.firstWindow)
      if (event.kind === 'done') transcript = event.transcript
    }

    expect(transcript).toEqual(whole)
    // Only what was not done.
    expect(windows).toEqual(all.slice(done).map(({ firstWindow }) => firstWindow))
  }
  expect(await readdir(spool)).toEqual([]) // no decoded audio
})

test('what was stored is small: a window’s words and where it ends, not all that was before it', async () => {
  const all = await parkedAfter(Number.POSITIVE_INFINITY)

  const lengths = all.map((checkpoint) => JSON.stringify({ ...checkpoint, segments: [] }).length)
  expect(Math.max(...lengths)).toBeLessThan(1000)
  expect(all.flatMap(({ segments }) => segments).map(({ id }) => id)).toEqual(
    all.flatMap(({ segments }) => segments).map((_, index) => index),
  )
})
