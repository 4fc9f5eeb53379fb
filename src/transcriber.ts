/**
 * The road: decode, wait your turn, let the engine speak, hand its events on.
 * It knows neither HTTP nor output formats; cancellation is the signal and nothing else.
 */
import { type PcmFile, SAMPLES_PER_SECOND } from './audio/growing-pcm.ts'
import type { Engine } from './engine/engine.ts'
import type { EngineDone } from './engine/events.ts'
import type { Admission } from './queue/admission.ts'
import {
  type DetectedLanguage,
  joinText,
  type Segment,
  type Task,
  type TranscriptEvent,
} from './transcript.ts'

/** A path to anything ffmpeg reads. Whoever made the file deletes it. */
export interface AudioSource {
  readonly path: string
}

export interface TranscribeOptions {
  readonly task: Task
  /** ISO code; absent means: detect it. */
  readonly language?: string
  readonly prompt?: string
  /** 0…1; 0 means greedy with automatic fallback. */
  readonly temperature: number
  readonly wantsWords: boolean
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
  /** Resolves when enough is decoded for the engine to begin. */
  readonly decode: (path: string, signal: AbortSignal) => Promise<PcmFile>
  /** Turns at ffmpeg: each takes a core. */
  readonly decoding: Admission
  /** Turns at the engine. */
  readonly transcribing: Admission
  readonly engine: Pick<Engine, 'run' | 'detectLanguage'>
}

/** However a call ends (an answer, a failure, the signal, a reader who leaves), its turns are free and its PCM is deleted. */
export function createTranscriber(parts: TranscriberParts): Transcriber {
  return {
    transcribe: (source, options, signal) => transcribe(parts, source, options, signal),
    detectLanguage: async (source, signal) => {
      await using pcm = await decodeInTurn(parts, source, signal)
      const whileWhole = AbortSignal.any([signal, pcm.broken])
      using _turn = await parts.transcribing.enter({}, whileWhole)
      const detected = await parts.engine.detectLanguage(pcm, whileWhole)
      // Leaving ends a decoding that still runs; then nobody knows how long the recording would have been.
      return { ...detected, ...(pcm.extent.isComplete && { durationSeconds: secondsOf(pcm) }) }
    },
  }
}

async function* transcribe(
  { decode, decoding, transcribing, engine }: TranscriberParts,
  source: AudioSource,
  options: TranscribeOptions,
  signal: AbortSignal,
): AsyncGenerator<TranscriptEvent, void, undefined> {
  await using pcm = await decodeInTurn({ decode, decoding }, source, signal)
  // What is broken ends the same way as what nobody wants any more: in the queue, in the engine, on the disk.
  const whileWhole = AbortSignal.any([signal, pcm.broken])
  const lengthOnce = tellLengthOnce(pcm)
  yield* lengthOnce()
  using _turn = await transcribing.enter({}, whileWhole)
  const segments: Segment[] = []
  for await (const event of engine.run({ ...options, pcm }, whileWhole)) {
    yield* lengthOnce()
    if (event.kind === 'segments') segments.push(...event.segments)
    yield event.kind === 'done' ? finished(event, options.task, segments) : event
  }
}

/** `decoded`, the first time that it is asked after the last sample has been decoded. */
function tellLengthOnce(pcm: PcmFile): () => TranscriptEvent[] {
  let isTold = false
  return () => {
    if (isTold || !pcm.extent.isComplete) return []
    isTold = true
    return [{ kind: 'decoded', durationSeconds: secondsOf(pcm) }]
  }
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
  signal: AbortSignal,
): Promise<PcmFile> {
  using undo = new DisposableStack()
  undo.use(await decoding.enter({}, signal))
  const pcm = await decode(source.path, signal)
  const turn = undo.move()
  void pcm.ended.then(() => turn.dispose()) // never rejects
  return pcm
}

function finished(done: EngineDone, task: Task, segments: readonly Segment[]): TranscriptEvent {
  const { language, languageProbability, durationSeconds, dropped, warnings } = done
  return {
    kind: 'done',
    transcript: {
      task,
      text: joinText(segments),
      ...(language === undefined ? {} : { language }),
      ...(languageProbability === undefined ? {} : { languageProbability }),
      durationSeconds,
      segments,
      dropped,
      warnings,
    },
  }
}
