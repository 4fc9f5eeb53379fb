/** What every route is given; main.ts chooses it, tests give fakes. */
import type { Hono, MiddlewareHandler } from 'hono'
import type { Scope } from '../api-keys.ts'
import type { Config } from '../config.ts'
import type { EngineState } from '../engine/state.ts'
import type { Failure, FailureCode } from '../failure.ts'
import type { Member } from '../fleet/seen.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import type { ClientLimits } from '../limits/client-limits.ts'
import type { FailedKeys } from '../limits/failed-keys.ts'
import type { JobDesk } from '../jobs/job-desk.ts'
import type { JobQueue } from '../jobs/job-queue.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { AudioSource, Transcriber } from '../transcriber.ts'
import type { RequestTrace, Span } from '../tracing/request-trace.ts'
import type { DiskRoom } from '../upload/disk-room.ts'
import type { UploadedFile } from '../upload/receive.ts'
import type { Uploads } from '../uploads/uploads.ts'
import type { SetAlarm } from './patience.ts'
import type { SpeechFacts } from './speech-facts.ts'

interface QueueState {
  readonly active: number
  readonly waiting: number
  /** How long a recording that comes now would wait for the engine. Absent: nothing has been measured yet. */
  readonly waitSeconds?: number
}

/** A file that arrived before the order for it; disposing removes what is left of it. */
export interface EarlierUpload extends AsyncDisposable {
  readonly path: string
  readonly sizeBytes: number
  readonly name?: string | undefined
}

export interface BullBoard {
  /** Before keys are asked for. */
  readonly key: MiddlewareHandler<HttpEnv>
  /** After that. */
  readonly routes: Hono<HttpEnv>
}

/** What is not there is switched off, and a request that needs it is told so. */
export interface JobParts {
  readonly queue: JobQueue
  readonly desk: JobDesk
  /** So long after its end a job is kept. */
  readonly keptSeconds: number
  /** The names of the steps that may follow a transcript. */
  readonly afterwards: ReadonlySet<string>
  readonly nowMs: () => number
  /** A job has been ended by a request: whoever is to be told of it may be told at once. */
  readonly onEnd?: ((id: string) => void) | undefined
  /** How much lies there of all jobs, as far as it has been counted. */
  readonly storedBytes?: (() => number | undefined) | undefined
  /** Whether a recording may be fetched from there. @throws Failure */
  readonly requireUrlAllowed?: ((url: string) => void | Promise<void>) | undefined
  /** The same for an object of an S3 store. @throws Failure */
  readonly requireS3Source?: ((bucket: string, key: string) => void | Promise<void>) | undefined
  /** Whether a result can be written there. @throws Failure */
  readonly requireS3Path?: ((path: string) => void | Promise<void>) | undefined
  /** Whether somebody may be told there that a job has ended. @throws Failure */
  readonly requireCallbackAllowed?: ((url: string) => void | Promise<void>) | undefined
  /** An upload of this owner's that is whole; nobody else gets it after that. @throws Failure upload_not_found or the like */
  readonly takeUpload?:
    | ((id: string, owner: string | undefined, signal: AbortSignal) => Promise<EarlierUpload>)
    | undefined
}

export interface Parts {
  readonly config: Config
  readonly transcriber: Transcriber
  readonly engineState: () => EngineState
  readonly queueState: () => QueueState
  /** All that are known here to work on what comes. */
  readonly workers: () => readonly Member[]
  /** Whether another recording of this owner would be taken now. @throws Failure queue_full, shutting_down */
  readonly requireRoom: (owner: string | undefined, tier: AudioSource['tier']) => void
  readonly keys: Pick<KeyRing, 'asks' | 'clientWith'>
  readonly failedKeys: FailedKeys
  readonly limits: ClientLimits
  /** Uploads live below it, each in its own directory, until they are answered. */
  readonly spoolDir: string
  /** Whether an upload fits there. */
  readonly disk: DiskRoom
  /** Those that came in pieces, to be used later. */
  readonly uploads: Uploads
  /** Absent: nothing is fetched from URLs. */
  readonly fetchRecording?:
    | ((url: string, path: string, signal: AbortSignal) => Promise<UploadedFile>)
    | undefined
  readonly log: Log
  readonly metrics: Metrics
  /** Aborts when nothing can be waited for any more: the server ends. */
  readonly ending?: AbortSignal
  /** Where the spans of a request go. Absent: there are none. */
  readonly sendSpans?: (spans: readonly Span[]) => void
  readonly jobs: JobParts
  /** Whether the queue of jobs answered lately. Absent: it cannot be away. */
  readonly isQueueReachable?: () => boolean
  /** A page that shows the lines of Redis (http/admin/bull-board.ts). Absent: there are none. */
  readonly bullBoard?: BullBoard | undefined
  /** What rings after a while; a timer when absent. */
  readonly setAlarm?: SetAlarm
}

/** What travels beside a request from one middleware to the next. */
export interface HttpEnv {
  Variables: {
    requestId: string
    /** Where it comes from, as far as limits are concerned. */
    address: string
    /** Whether somebody waits for the answer; set when an upload has arrived whole. */
    tier?: AudioSource['tier']
    /** Filled on the way, for the line in the log. */
    speech: SpeechFacts
    /** Set when an upload has arrived whole. */
    fileBytes?: number
    /** Set when the answer has begun before its body is there: resolves when that has ended, with why it is not whole. */
    bodyEnd?: Promise<Failure | undefined>
    /** Whose key it was. Absent when nobody needs one. */
    clientId?: string
    /** What that key is good for. Absent when nobody needs one. */
    scopes?: readonly Scope[]
    /** What this request joined instead of starting it again. */
    joined?: 'running' | 'finished'
    /** Absent: nobody wants to know. */
    trace?: RequestTrace
    /** What the client was told went wrong, when that is the whole answer. */
    failureCode?: FailureCode
  }
}
