/** What every route is given; main.ts chooses it, tests give fakes. */
import type { Config } from '../config.ts'
import type { EngineState } from '../engine/state.ts'
import type { Log } from '../log.ts'
import type { Transcriber } from '../transcriber.ts'

export interface Parts {
  readonly config: Config
  readonly transcriber: Transcriber
  readonly engineState: () => EngineState
  readonly queueState: () => { readonly active: number; readonly waiting: number }
  /** Uploads live below it, each in its own directory, until they are answered. */
  readonly spoolDir: string
  readonly log: Log
}

/** What travels beside a request from one middleware to the next. */
export interface HttpEnv {
  Variables: {
    requestId: string
    /** Set when an upload has arrived whole. */
    fileBytes?: number
  }
}
