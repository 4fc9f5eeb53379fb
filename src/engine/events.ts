/** What the engine is asked and what it says, in the house's own words. Times are seconds from the start of the recording. */
import type { JudgedText, Segment, SpeechDetection, Task, WindowCheckpoint } from '../transcript.ts'

/** How much of a recording can be read: samples from its start, and whether that is all of it. */
export interface PcmExtent {
  readonly samples: number
  readonly isComplete: boolean
}

/** 16 kHz mono s16le samples inside the spool directory, which may still grow; must stay there until the answer has ended. */
export interface PcmSource {
  readonly path: string
  /** What can be read now. */
  readonly extent: PcmExtent
  /** Resolves when usefully more than `known` can be read. @throws the signal's reason. */
  grownBeyond(known: PcmExtent, signal: AbortSignal): Promise<PcmExtent>
}

export interface EngineRequest {
  readonly pcm: PcmSource
  /** ISO code; absent means: detect it. */
  readonly language?: string
  readonly task: Task
  /** Detection chooses among these; ignored when `language` is there. Absent: all that the model knows. */
  readonly candidateLanguages?: readonly string[]
  readonly prompt?: string
  readonly keywords?: readonly string[]
  readonly speechDetection?: SpeechDetection
  /** 0…1; 0 means greedy with automatic fallback. */
  readonly temperature: number
  readonly wantsWords: boolean
  readonly wantsLogprobs: boolean
  /** The text also as it is being decoded. */
  readonly wantsDeltas: boolean
  /** Without guards the answer is what the model said, loops and inventions included. */
  readonly wantsGuards: boolean
  /** A checkpoint after each window. */
  readonly wantsCheckpoints?: boolean
  /** All that is done already, from the recording's beginning. */
  readonly resumeFrom?: WindowCheckpoint | undefined
  /** Ends the work when the next window is done; at once when the child has not been asked yet. Its reason is then thrown. */
  readonly park?: AbortSignal | undefined
}

export interface EngineDone {
  readonly kind: 'done'
  /** Absent when it was to be detected and nobody speaks. */
  readonly language?: string
  /** Absent when the request named the language. */
  readonly languageProbability?: number
  readonly durationSeconds: number
  /** What a window was told in prompt and keywords; 0 when no window was decoded. */
  readonly promptTokens: number
  readonly speechSeconds: number
  readonly windows: number
  readonly dropped: readonly JudgedText[]
  readonly warnings: readonly JudgedText[]
  readonly timings: {
    readonly waitedSeconds: number
    readonly vadSeconds: number
    readonly encodeSeconds: number
    readonly decodeSeconds: number
  }
}

/**
 * Any number of the others, then exactly one `done`. Segment ids run 0, 1, 2 … through the recording.
 * Deltas come only when they were asked for; joined they are the joined segment texts, and each comes before its segment.
 * `begun_again` comes first or not at all: what `resumeFrom` held is of no use, and the work begins at the beginning.
 */
export type EngineEvent =
  | { readonly kind: 'delta'; readonly text: string }
  | { readonly kind: 'progress'; readonly processedSeconds: number; readonly durationSeconds: number }
  | { readonly kind: 'segments'; readonly segments: readonly Segment[] }
  | { readonly kind: 'checkpoint'; readonly checkpoint: WindowCheckpoint }
  | { readonly kind: 'begun_again' }
  | EngineDone
