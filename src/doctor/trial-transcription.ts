/** A real recording, decoded by the real ffmpeg and transcribed by the real engine, in a directory that is then deleted. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decode } from '../audio/decode.ts'
import type { Ffmpeg } from '../audio/ffmpeg.ts'
import type { Config } from '../config.ts'
import { modelArguments, workerCommand } from '../engine/command.ts'
import { createEngine } from '../engine/engine.ts'
import type { EngineState } from '../engine/state.ts'
import { createLog } from '../log.ts'
import { until } from '../until.ts'
import type { Trial } from './world.ts'

/** In here, because an image holds no tests: 5.8 s, made by models/tiny-da's own synthesis. */
const RECORDING = fileURLToPath(new URL('speech.ogg', import.meta.url))
const SAMPLES_PER_SECOND = 16_000

/** @throws Error for the operator; the signal's reason */
export async function transcribeTrial(config: Config, ffmpeg: Ffmpeg, signal: AbortSignal): Promise<Trial> {
  await using undo = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'hviske-doctor-'))
  undo.defer(() => rm(directory, { recursive: true, force: true }))
  const command = workerCommand(config.pythonPath, modelArguments(config), directory)
  const engine = undo.use(createEngine({ command, log: createLog('silent') }))
  const ready = engine.start()
  ready.catch(() => {}) // it rejects, too, when we stop it because the time is over
  await until(ready, signal).catch((error: unknown) => {
    throw signal.aborted ? notReady(engine.state()) : error
  })
  const state = engine.state()
  if (state.phase !== 'ready') throw notReady(state)

  const startedMs = performance.now()
  const pcm = undo.use(await decode(ffmpeg, RECORDING, { directory, maxSeconds: 60 }, signal))
  const request = { pcm, language: 'da', task: 'transcribe', temperature: 0 } as const
  const wants = { wantsWords: false, wantsLogprobs: false, wantsDeltas: false, wantsGuards: true }
  let text = ''
  for await (const event of engine.run({ ...request, ...wants }, signal)) {
    if (event.kind === 'segments') text += event.segments.map((segment) => segment.text).join('')
  }
  const tookSeconds = (performance.now() - startedMs) / 1000
  return { facts: state.facts, text, audioSeconds: pcm.extent.samples / SAMPLES_PER_SECOND, tookSeconds }
}

/** A child that dies again and again is not final for the engine: its last words are then what there is to say. */
function notReady(state: EngineState): Error {
  const why = 'message' in state ? `: ${state.message}` : ''
  return new Error(`the engine did not become ready; it is ${state.phase}${why}`)
}
