/** What the engine is asked and what it says, in the house's own words. Times are seconds from the start of the recording. */
import type { DroppedText, Segment, Task } from '../transcript.ts'

export interface EngineRequest {
  /** 16 kHz mono s16le samples inside the spool directory; must stay there until the answer has ended. */
  readonly pcmPath: string
  /** ISO code; absent means: detect it. */
  readonly language?: string
  readonly task: Task
  readonly prompt?: string
  /** 0…1; 0 means greedy with automatic fallback. */
  readonly temperature: number
  readonly wantsWords: boolean
}

export interface EngineDone {
  readonly kind: 'done'
  readonly language: string
  /** Absent when the request named the language. */
  readonly languageProbability?: number
  readonly durationSeconds: number
  readonly speechSeconds: number
  readonly windows: number
  readonly dropped: readonly DroppedText[]
  readonly timings: {
    readonly waitedSeconds: number
    readonly vadSeconds: number
    readonly encodeSeconds: number
    readonly decodeSeconds: number
  }
}

/** Any number of the first two, then exactly one `done`. Segment ids run 0, 1, 2 … through the recording. */
export type EngineEvent =
  | { readonly kind: 'progress'; readonly processedSeconds: number; readonly durationSeconds: number }
  | { readonly kind: 'segments'; readonly segments: readonly Segment[] }
  | EngineDone
