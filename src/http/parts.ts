/** What every route is given; main.ts chooses it, tests give fakes. */
import type { Config } from '../config.ts'
import type { EngineState } from '../engine/state.ts'
import type { Failure, FailureCode } from '../failure.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import type { ClientLimits } from '../limits/client-limits.ts'
import type { FailedKeys } from '../limits/failed-keys.ts'
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

export interface Parts {
  readonly config: Config
  readonly transcriber: Transcriber
  readonly engineState: () => EngineState
  readonly queueState: () => QueueState
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
    /** What this request joined instead of starting it again. */
    joined?: 'running' | 'finished'
    /** Absent: nobody wants to know. */
    trace?: RequestTrace
    /** What the client was told went wrong, when that is the whole answer. */
    failureCode?: FailureCode
  }
}
