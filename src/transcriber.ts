/**
 * The road: decode, wait your turn, let the engine speak, hand its events on.
 * It knows neither HTTP nor output formats; cancellation is the signal and nothing else.
 */
import { type PcmFile, SAMPLES_PER_SECOND } from './audio/growing-pcm.ts'
import type { Engine } from './engine/engine.ts'
import type { EngineDone, EngineEvent } from './engine/events.ts'
import type { Admission, Ticket } from './queue/admission.ts'
import type { Tier } from './queue/tiers.ts'
import type { Work, Workload } from './queue/workload.ts'
import { type RoadObserver, RoadReport } from './road-observer.ts'
import {
  type DetectedLanguage,
  joinText,
  type Segment,
  type SpeechDetection,
  type Task,
  type TranscriptEvent,
  type WindowCheckpoint,
} from './transcript.ts'
import { eitherOf } from './until.ts'

/** A path to anything ffmpeg reads. Whoever made the file deletes it. */
export interface AudioSource {
  readonly path: string
  /** Whose it is: owners take turns. Absent: everybody's, as where nobody needs a key. */
  readonly owner?: string
  /** Whether somebody waits for the answer. Absent: somebody does. */
  readonly tier?: Tier
  /** Whose allowance the seconds are taken from. Absent: nobody's. */
  readonly account?: string
  /** Sources with the same identity hold the same recording for the same client. Absent: nobody knows, or wants to. */
  readonly identity?: string
  /** The client has announced that it will ask again if it gets no answer. */
  readonly isAskedAgain?: boolean
  /** Told before the first event, when others have begun this work, or have had it done. */
  readonly onJoined?: (state: 'running' | 'finished') => void
  /** Whether a checkpoint is told after each window, for whoever stores them to go on in another process. */
  readonly wantsCheckpoints?: boolean
  /** What other processes have done of it with the same options: its checkpoints, joined (engine/checkpoints.ts). */
  readonly resumeFrom?: WindowCheckpoint | undefined
  /** Ends the work: before the engine at once, in the engine when the next window is done. Its reason, a Failure, is thrown. */
  readonly park?: AbortSignal | undefined
  /** Told of the way of this source alone; not told when others' work was joined. */
  readonly observer?: RoadObserver
}

export interface TranscribeOptions {
  readonly task: Task
  /** ISO code; absent means: detect it. */
  readonly language?: string
  /** ISO codes among which the language is detected, when `language` is absent. Absent: all that the model knows. */
  readonly candidateLanguages?: readonly string[]
  readonly prompt?: string
  /** Names and terms that may occur: the model is told of them beside the prompt. */
  readonly keywords?: readonly string[]
  readonly speechDetection?: SpeechDetection
  /** 0…1; 0 means greedy with automatic fallback. */
  readonly temperature: number
  readonly wantsWords: boolean
  /** Whether segments tell each token's probability. */
  readonly wantsLogprobs: boolean
  /** Whether the text is also told while it is being decoded. */
  readonly wantsDeltas: boolean
  /** Without guards the transcript is what the model said, loops and inventions included. */
  readonly wantsGuards: boolean
}

export interface Transcriber {
  /** @throws Failure through the iterator, with the client's message. */
  transcribe(
    source: AudioSource,
    options: TranscribeOptions,
    signal: AbortSignal,
  ): AsyncIterable<TranscriptEvent>
  detectLanguage(source: AudioSource, signal: AbortSignal): Promise<DetectedLanguage>
}

export interface TranscriberParts {
  /** Knows what is on the road, and refuses when it is full. */
  readonly workload: Pick<Workload, 'enter'>
  /** Resolves when enough is decoded for the engine to begin. */
  readonly decode: (path: string, signal: AbortSignal) => Promise<PcmFile>
  /** Turns at ffmpeg: each takes a core. */
  readonly decoding: Admission
  /** Turns at the engine. */
  readonly transcribing: Admission
  readonly engine: Pick<Engine, 'run' | 'detectLanguage'>
  /** Told of all that is on the road. */
  readonly observer?: RoadObserver
  /** Never goes back. */
  readonly nowMs?: () => number
}

/** A language is found in one window. */
const LANGUAGE_SECONDS = 30

/** However a call ends (an answer, a failure, the signal, a reader who leaves), its turns are free and its PCM is deleted. */
export function createTranscriber(parts: TranscriberParts): Transcriber {
  return {
    transcribe: (source, options, signal) => transcribe(parts, source, options, signal),
    detectLanguage: async (source, signal) => {
      using work = parts.workload.enter(source.tier)
      const report = reportOf(parts, source)
      await using pcm = await decodeInTurn(parts, source, report, signal)
      const whileWhole = AbortSignal.any([signal, pcm.broken])
      const heardSeconds = Math.min(secondsOf(pcm), LANGUAGE_SECONDS)
      work.lengthIs(heardSeconds)
      using _turn = await report.waiting('engine', parts.transcribing.enter(ticketOf(source), whileWhole))
      work.start()
      using _working = report.working('detect_language')
      const detected = await parts.engine.detectLanguage(pcm, whileWhole)
      work.heard(heardSeconds)
      report.heardUpTo(heardSeconds)
      // Leaving ends a decoding that still runs; then nobody knows how long the recording would have been.
      return { ...detected, ...(pcm.extent.isComplete && { durationSeconds: secondsOf(pcm) }) }
    },
  }
}

async function* transcribe(
  parts: TranscriberParts,
  source: AudioSource,
  options: TranscribeOptions,
  signal: AbortSignal,
): AsyncGenerator<TranscriptEvent, void, undefined> {
  const { workload, transcribing, engine } = parts
  using work = workload.enter(source.tier)
  const report = reportOf(parts, source)
  // In the engine it is the engine that looks when it may be parked; ffmpeg goes on until then.
  using unparked = eitherOf(signal, source.park)
  await using pcm = await decodeInTurn(parts, source, report, unparked.signal)
  // What is broken ends the same way as what nobody wants any more: in the queue, in the engine, on the disk.
  const whileWhole = AbortSignal.any([signal, pcm.broken])
  const lengthOnce = tellLengthOnce(pcm, work)
  yield* lengthOnce()
  const turn = transcribing.enter(ticketOf(source), AbortSignal.any([unparked.signal, pcm.broken]))
  using _turn = await report.waiting('engine', turn)
  unparked[Symbol.dispose]()
  const { resumeFrom, wantsCheckpoints = false, park } = source
  work.start(resumeFrom?.endSeconds)
  report.heardBefore(resumeFrom?.endSeconds ?? 0)
  using working = report.working(options.task)
  const segments = [...(resumeFrom?.segments ?? [])]
  for await (const event of engine.run({ ...options, pcm, resumeFrom, wantsCheckpoints, park }, whileWhole)) {
    yield* lengthOnce()
    if (event.kind === 'begun_again') {
      segments.length = 0
      continue
    }
    const heardSeconds = heardSecondsAt(event)
    if (heardSeconds !== undefined) {
      work.heard(heardSeconds)
      report.heardUpTo(heardSeconds)
    }
    if (event.kind === 'done') working.done(event)
    if (event.kind === 'segments') segments.push(...event.segments)
    yield event.kind === 'done' ? finished(event, options.task, segments) : event
  }
}

function reportOf({ observer, nowMs = () => performance.now() }: TranscriberParts, source: AudioSource) {
  return new RoadReport([observer, source.observer], nowMs)
}

/** How much of the recording has been heard; undefined when the event says nothing of it. */
function heardSecondsAt(event: EngineEvent): number | undefined {
  if (event.kind === 'progress') return event.processedSeconds
  return event.kind === 'done' ? event.durationSeconds : undefined
}

/** `decoded`, the first time that it is asked after the last sample has been decoded. */
function tellLengthOnce(pcm: PcmFile, work: Work): () => TranscriptEvent[] {
  let isTold = false
  return () => {
    if (isTold || !pcm.extent.isComplete) return []
    isTold = true
    work.lengthIs(secondsOf(pcm))
    return [{ kind: 'decoded', durationSeconds: secondsOf(pcm) }]
  }
}

function ticketOf({ owner, tier }: AudioSource): Ticket {
  return { ...(owner !== undefined && { key: owner }), ...(tier !== undefined && { tier }) }
}

function secondsOf({ extent }: PcmFile): number {
  return extent.samples / SAMPLES_PER_SECOND
}

/**
 * The turn ends with the decoding: while a recording waits for the engine, the next one is decoded. ffmpeg waits for
 * nobody but the disk, so whoever holds a turn here while waiting for one at the engine gives it back in time.
 */
async function decodeInTurn(
  { decode, decoding }: Pick<TranscriberParts, 'decode' | 'decoding'>,
  source: AudioSource,
  report: RoadReport,
  signal: AbortSignal,
): Promise<PcmFile> {
  using undo = new DisposableStack()
  undo.use(await report.waiting('decoding', decoding.enter(ticketOf(source), signal)))
  const seconds = report.stopwatch()
  const pcm = await decode(source.path, signal)
  const turn = undo.move()
  void pcm.ended.then(() => {
    turn.dispose()
    if (pcm.extent.isComplete) report.decoded(seconds()) // else it broke, or was let go of
  }) // never rejects
  return pcm
}

function finished(done: EngineDone, task: Task, segments: readonly Segment[]): TranscriptEvent {
  const { language, languageProbability, durationSeconds, promptTokens, dropped, warnings } = done
  return {
    kind: 'done',
    transcript: {
      task,
      text: joinText(segments),
      ...(language === undefined ? {} : { language }),
      ...(languageProbability === undefined ? {} : { languageProbability }),
      durationSeconds,
      promptTokens,
      segments,
      dropped,
      warnings,
    },
  }
}
