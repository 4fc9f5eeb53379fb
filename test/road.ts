// The road on fakes: one place at each stage, an engine that says what the test wants, and what is left in the end.
import type { PcmExtent, PcmFile } from '../src/audio/growing-pcm.ts'
import type { EngineDone, EngineEvent, EngineRequest } from '../src/engine/events.ts'
import { Failure } from '../src/failure.ts'
import { Admission } from '../src/queue/admission.ts'
import { Workload } from '../src/queue/workload.ts'
import type { RoadObserver } from '../src/road-observer.ts'
import { createTranscriber, type TranscribeOptions } from '../src/transcriber.ts'
import type { DetectedLanguage, Segment } from '../src/transcript.ts'

export const NEVER = new AbortController().signal
export const OPTIONS: TranscribeOptions = {
  task: 'transcribe',
  temperature: 0,
  wantsWords: false,
  wantsLogprobs: false,
  wantsDeltas: false,
  wantsGuards: true,
}
export const DETECTED: DetectedLanguage = { language: 'da', probability: 1, languages: [] }
export const DONE: EngineDone = {
  kind: 'done',
  language: 'da',
  languageProbability: 0.9,
  durationSeconds: 2,
  promptTokens: 0,
  speechSeconds: 2,
  windows: 2,
  dropped: [{ reason: 'no_speech', startSeconds: 1, endSeconds: 2, text: ' Tak.' }],
  warnings: [{ reason: 'unsure', startSeconds: 0, endSeconds: 1, text: ' Rødgrød' }],
  timings: { waitedSeconds: 0, vadSeconds: 0, encodeSeconds: 0, decodeSeconds: 0 },
}

export function segment(id: number, text: string): Segment {
  const figures = { temperature: 0, avgLogprob: 0, compressionRatio: 1, noSpeechProb: 0 }
  return { id, seek: 0, startSeconds: id, endSeconds: id + 1, text, tokens: [], ...figures }
}

export async function* twoWindows(): AsyncGenerator<EngineEvent> {
  yield { kind: 'segments', segments: [segment(0, ' Rødgrød')] }
  yield { kind: 'progress', processedSeconds: 1, durationSeconds: 2 }
  yield { kind: 'segments', segments: [segment(1, ' med fløde.')] }
  yield DONE
}

export async function* crash(): AsyncGenerator<EngineEvent> {
  yield { kind: 'segments', segments: [segment(0, ' Rød')] }
  throw new Failure('engine_crashed', 'gone')
}

/** An engine that speaks once and then waits for the signal, as a busy one does. */
export async function* untilAborted(
  _request: EngineRequest,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent> {
  yield { kind: 'progress', processedSeconds: 1, durationSeconds: 2 }
  signal.throwIfAborted()
  await new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
  })
}

export const ALL: PcmExtent = { samples: 32_000, isComplete: true }
const BEGINNING: PcmExtent = { samples: 16_000, isComplete: false }

/** A recording whose decoding goes on until the test ends it. */
class SlowPcm {
  extent = BEGINNING
  readonly #broken = new AbortController()
  readonly #ended = Promise.withResolvers<void>()
  readonly broken = this.#broken.signal
  readonly ended = this.#ended.promise

  finish(): void {
    this.extent = ALL
    this.#ended.resolve()
  }

  break(reason: Failure): void {
    this.#broken.abort(reason)
    this.#ended.resolve()
  }
}

/** A road with one place at each stage, and what is left on it. The recording `/slow` is `slow`. */
export function road({
  run = twoWindows as (request: EngineRequest, signal: AbortSignal) => AsyncIterable<EngineEvent>,
  slow = new SlowPcm(),
  clock = { nowMs: 0 },
  maxWaiting = 10,
  observer = undefined as RoadObserver | undefined,
} = {}) {
  const open = new Set<string>()
  const workload = new Workload({ places: 1, maxWaiting, isWorking: () => true, nowMs: () => clock.nowMs })
  const decoding = new Admission({ places: 1 })
  const transcribing = new Admission({ places: 1 })
  const decode = async (path: string): Promise<PcmFile> => {
    if (path === '/not-audio') throw new Failure('invalid_audio', 'not audio')
    open.add(path)
    return Object.assign(path === '/slow' ? slow : { extent: ALL, broken: NEVER, ended: Promise.resolve() }, {
      path,
      grownBeyond: async () => ALL,
      [Symbol.asyncDispose]: async () => {
        slow.finish() // which is what letting go of it does
        open.delete(path)
      },
    })
  }
  const engine = { run, detectLanguage: async () => DETECTED }
  const left = () => ({ pcm: open.size, decoding: decoding.state(), transcribing: transcribing.state() })
  return {
    left,
    slow,
    transcribing,
    workload,
    transcriber: createTranscriber({
      workload,
      decode,
      decoding,
      transcribing,
      engine,
      nowMs: () => clock.nowMs,
      ...(observer && { observer }),
    }),
  }
}

export const NOTHING_LEFT = {
  pcm: 0,
  decoding: { active: 0, waiting: 0 },
  transcribing: { active: 0, waiting: 0 },
}
