/**
 * The road: decode, wait your turn, let the engine speak, hand its events on.
 * It knows neither HTTP nor output formats; cancellation is the signal and nothing else.
 */
import type { PcmFile } from './audio/decode.ts'
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
      using _turn = await parts.transcribing.enter({}, signal)
      return await parts.engine.detectLanguage(pcm.path, signal)
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
  yield { kind: 'decoded', durationSeconds: pcm.durationSeconds }
  using _turn = await transcribing.enter({}, signal)
  const segments: Segment[] = []
  for await (const event of engine.run({ ...options, pcmPath: pcm.path }, signal)) {
    if (event.kind === 'segments') segments.push(...event.segments)
    yield event.kind === 'done' ? finished(event, options.task, segments) : event
  }
}

/** The turn ends with the decoding: while a recording waits for the engine, the next one is decoded. */
async function decodeInTurn(
  { decode, decoding }: Pick<TranscriberParts, 'decode' | 'decoding'>,
  source: AudioSource,
  signal: AbortSignal,
): Promise<PcmFile> {
  using _turn = await decoding.enter({}, signal)
  return await decode(source.path, signal)
}

function finished(done: EngineDone, task: Task, segments: readonly Segment[]): TranscriptEvent {
  const { language, languageProbability, durationSeconds, dropped } = done
  return {
    kind: 'done',
    transcript: {
      task,
      text: joinText(segments),
      language,
      ...(languageProbability === undefined ? {} : { languageProbability }),
      durationSeconds,
      segments,
      dropped,
    },
  }
}
