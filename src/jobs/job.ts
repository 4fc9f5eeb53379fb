/**
 * A job: a recording handed in, what was asked of it, and what has become of it. The currency of this room; where jobs are
 * kept, who works on them and how clients name their states is decided elsewhere.
 */
import { z } from 'zod'
import { RESPONSE_FORMATS } from '../formats/render.ts'
import type { Failure } from '../failure.ts'
import type { TranscribeOptions } from '../transcriber.ts'
import type { Segment } from '../transcript.ts'

/** `pending` → `processing` → one of the three ends. A job whose worker died or was stopped is `pending` again. */
export const JOB_STATES = ['pending', 'processing', 'completed', 'failed', 'cancelled'] as const
export type JobState = (typeof JOB_STATES)[number]
export const ENDED_STATES = ['completed', 'failed', 'cancelled'] as const satisfies readonly JobState[]

/** Two queues: somebody waits for what is `interactive`; `batch` is fetched some day. */
export const LANES = ['interactive', 'batch'] as const
export type Lane = (typeof LANES)[number]

const Options: z.ZodType<TranscribeOptions> = z.object({
  task: z.enum(['transcribe', 'translate']),
  language: z.string().exactOptional(),
  candidateLanguages: z.array(z.string()).exactOptional(),
  prompt: z.string().exactOptional(),
  keywords: z.array(z.string()).exactOptional(),
  speechDetection: z
    .object({
      threshold: z.number().exactOptional(),
      paddingMs: z.number().exactOptional(),
      silenceMs: z.number().exactOptional(),
      maxSpeechSeconds: z.number().exactOptional(),
    })
    .exactOptional(),
  temperature: z.number(),
  wantsWords: z.boolean(),
  wantsLogprobs: z.boolean(),
  wantsDeltas: z.boolean(),
  wantsGuards: z.boolean(),
})

/** Where the recording is. A blob is ours and is deleted with the job; the other two are fetched when the job is begun. */
const JobInput = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('blob'), key: z.string(), sizeBytes: z.int() }),
  z.object({ kind: z.literal('url'), url: z.string() }),
  z.object({ kind: z.literal('s3'), bucket: z.string(), key: z.string() }),
])
export type JobInput = z.output<typeof JobInput>

/** What was asked: it never changes. Written to disk and read by other versions of this program, so it is parsed. */
export const JobOrder = z.object({
  id: z.uuid(),
  /** Whose it is. Absent where nobody needs a key. */
  owner: z.string().exactOptional(),
  lane: z.enum(LANES),
  input: JobInput,
  /** What the client calls the file. */
  fileName: z.string().exactOptional(),
  options: Options,
  /** The result is the language alone. */
  onlyDetectsLanguage: z.boolean().exactOptional(),
  /** How the result is told to whoever names no format. */
  format: z.enum(RESPONSE_FORMATS),
  rendering: z.object({
    hasWords: z.boolean(),
    isForVexa: z.boolean(),
    hasLogprobs: z.boolean(),
    listsLanguages: z.boolean(),
  }),
  /** The client's own, told back to it. */
  metadata: z.record(z.string(), z.string()),
  /** Told when the job has ended. */
  callbackUrl: z.string().exactOptional(),
  /** Where in the bucket of the settings the result is written, as JSON and as Markdown. */
  s3Path: z.string().exactOptional(),
  /** The recording stays until the job is forgotten. */
  keepsAudio: z.boolean(),
  /** Steps after the transcript: the names in the order in which they are done. */
  afterwards: z.array(z.string()).default([]),
  /** The same key of the same owner is the same job. */
  idempotencyKey: z.string().exactOptional(),
  /** Of the recording and everything asked: tells a repetition from another order under the same key. */
  fingerprint: z.string().exactOptional(),
  createdAtMs: z.int(),
})
export type JobOrder = z.output<typeof JobOrder>

/** What a client may be told of a failure. The code is one of failure.ts; an older version may have had others. */
export const JobFailure = z.object({ code: z.string(), message: z.string(), param: z.string().nullable() })
export type JobFailure = z.output<typeof JobFailure>

export interface Job {
  readonly order: JobOrder
  readonly state: JobState
  /** How often it was begun, or begun again after its worker had died. Being parked does not count. */
  readonly attempts: number
  /** When it was begun first. */
  readonly startedAtMs?: number
  readonly endedAtMs?: number
  /** How much of the recording has been heard, and how much there is as far as is known. */
  readonly processedSeconds?: number
  readonly durationSeconds?: number
  /** Of a failed job. */
  readonly failure?: JobFailure
  /** Of a completed job: the blob that holds the transcript. */
  readonly resultKey?: string
}

/** A finished window, as it is kept: enough to tell it to readers, and to go on after it elsewhere. */
export interface FinishedWindow {
  /** Counted from 0. One that is not greater than the last one's: it and what came after it do not stand any more. */
  readonly number: number
  readonly segments: readonly Segment[]
  readonly processedSeconds: number
  readonly durationSeconds: number
  /** The road's (`AudioSource.resumeFrom`); nobody else looks inside. JSON. */
  readonly checkpoint: unknown
}

/**
 * What happens to a job. Numbered from 1 in the order in which it happened, so that a reader who lost its connection
 * goes on where it was. Windows are told once, whoever finished them; the last event of a job is the state it ended in.
 */
export type JobEvent =
  | { readonly kind: 'state'; readonly state: JobState; readonly failure?: JobFailure }
  | { readonly kind: 'window'; readonly window: FinishedWindow }

export interface NumberedJobEvent {
  readonly number: number
  readonly event: JobEvent
}

export function hasEnded({ state }: Pick<Job, 'state'>): boolean {
  return ENDED_STATES.some((ended) => ended === state)
}

/** What has been said so far: a recording may have been begun again, when a worker with another model took it up. */
export function standingWindows(windows: Iterable<FinishedWindow>): readonly FinishedWindow[] {
  const standing: FinishedWindow[] = []
  for (const window of windows) {
    while ((standing.at(-1)?.number ?? -1) >= window.number) standing.pop()
    standing.push(window)
  }
  return standing
}

export function jobFailureOf({ code, message, param }: Failure): JobFailure {
  return { code, message, param }
}
