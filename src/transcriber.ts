/**
 * The road: decode, wait your turn, let the engine speak, hand its events on.
 * It knows neither HTTP nor output formats; cancellation is the signal and nothing else.
 */
import type { DetectedLanguage, Task, TranscriptEvent } from './transcript.ts'

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
