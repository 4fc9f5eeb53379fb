/** What the engine tells about itself from outside: for /health, /v1/models and the log. */
import { Failure } from '../failure.ts'

/** The model that is loaded, and why the automatic choices fell as they did (the child's `ready` message). */
export interface EngineFacts {
  readonly modelId: string
  /** Null for a plain directory. */
  readonly revision: string | null
  readonly device: string
  readonly deviceName: string
  readonly computeType: string
  /** ISO codes, in the model's order. */
  readonly languages: readonly string[]
  readonly canTranslate: boolean
  readonly vad: string
  /** How many windows are decoded side by side. */
  readonly slots: number
  readonly repairs: readonly string[]
  readonly reasons: Readonly<Record<string, string>>
  readonly versions: Readonly<Record<string, string>>
  readonly readyAtUnixSeconds: number
}

/**
 * `loading` also covers the rebirth after a crash. `resting`: it has died too often, and is left alone for a while.
 * `failed` is final: the process should end.
 * `elsewhere`: there is no engine here, and of those that there are none is known to be ready.
 */
export type EngineState =
  | {
      readonly phase: 'loading'
      readonly message: string
      readonly fraction: number | null
      /** An estimate, which changes while one looks. Absent: nobody makes one. */
      readonly readyInSeconds?: number
    }
  | { readonly phase: 'ready'; readonly facts: EngineFacts }
  | { readonly phase: 'resting'; readonly message: string; readonly retryInSeconds: number }
  | { readonly phase: 'failed'; readonly message: string }
  | { readonly phase: 'elsewhere'; readonly message: string }
  | { readonly phase: 'stopped' }

/** How a child is doing, as it told last. Sums count from its start. */
export interface EnginePulse {
  /** Of the decoder: each moves every slot that is in use on by one token. */
  readonly steps: number
  /** Slots in use, summed over those steps. */
  readonly slotSteps: number
  readonly windowsWaiting: number
  /** Absent: there is no GPU. */
  readonly gpu?: { readonly reservedBytes: number; readonly totalBytes: number }
}

/** What everybody is told who wants something of an engine that rests. */
export function restingFailure({
  retryInSeconds,
}: Pick<EngineState & { phase: 'resting' }, 'retryInSeconds'>) {
  const message = 'The speech engine has crashed several times and rests. Please try again later.'
  return new Failure('engine_resting', message, { retryAfterSeconds: retryInSeconds })
}
