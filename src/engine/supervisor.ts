/**
 * Keeps one child alive: starts it, starts another when it dies, gives up when that cannot help, stops it at the end.
 * It does not know what the child is asked.
 */
import { Failure } from '../failure.ts'
import type { Log } from '../log.ts'
import { until } from '../until.ts'
import { toFacts } from './from-wire.ts'
import { describeLoading } from './loading-log.ts'
import type { LoadingMessage } from './protocol.ts'
import type { EngineState } from './state.ts'
import type { StopDeadlines, Worker } from './worker.ts'
import type { WorkerExit } from './worker-exit.ts'

/** Time as the supervisor sees it, so that a test needs none. */
export interface Clock {
  nowMs(): number
  /** @throws the signal's reason when it comes first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  /** From 0 up to 1, as Math.random. */
  random(): number
}

export interface SupervisorParts {
  readonly startWorker: (onLoading: (progress: LoadingMessage) => void) => Worker
  readonly stopDeadlines: StopDeadlines
  readonly clock: Clock
  readonly log: Log
}

const FIRST_BACKOFF_MS = 500
const LONGEST_BACKOFF_MS = 30_000
/** A child that was ready this long has earned a quick restart again. */
const STEADY_MS = 60_000
/** A child that dies this often before it was ever ready will not become so: better to say that than to try for ever. */
const MOST_FIRST_TRIES = 5

/** Doubles from half a second to half a minute; up to a quarter shorter, so that several servers do not start in step. */
export function backoffMs(crashesInARow: number, random: number): number {
  const full = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (crashesInARow - 1))
  return full * (1 - random / 4)
}

export class Supervisor {
  readonly #parts: SupervisorParts
  readonly #stopping = new AbortController()
  #worker: Worker | undefined
  #running: Promise<void> | undefined
  #wasReady = false
  #state: EngineState = { phase: 'loading', message: 'starting', fraction: null }
  #changed = Promise.withResolvers<void>()

  constructor(parts: SupervisorParts) {
    this.#parts = parts
  }

  get state(): EngineState {
    return this.#state
  }

  /** Starts the first child; the later ones come by themselves. */
  start(): void {
    this.#running ??= this.#keepAlive()
  }

  /**
   * A child that can be asked, as soon as there is one.
   *
   * @throws Failure `engine_failed` when there will be none, `shutting_down` after `stop`; the signal's reason.
   */
  async readyWorker(signal: AbortSignal): Promise<Worker> {
    for (;;) {
      // A child may be gone before its end is noticed here; then its successor is waited for.
      if (this.#state.phase === 'ready' && this.#worker?.isReady) return this.#worker
      if (this.#state.phase === 'failed') {
        throw new Failure('engine_failed', 'The speech engine could not be started.', {
          cause: new Error(this.#state.message),
        })
      }
      if (this.#stopping.signal.aborted) throw new Failure('shutting_down', 'The server is shutting down.')
      await until(this.#changed.promise, signal)
    }
  }

  /** Resolves when the child is gone. A second call waits for the same end. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#worker?.stop(this.#parts.stopDeadlines)
    await this.#running
    if (this.#state.phase !== 'failed') this.#become({ phase: 'stopped' })
  }

  async #keepAlive(): Promise<void> {
    for (let crashesInARow = 1; !this.#stopping.signal.aborted; crashesInARow++) {
      const { exit, readyMs } = await this.#liveOnce()
      if (this.#stopping.signal.aborted) return
      if (readyMs >= STEADY_MS) crashesInARow = 1
      if (!this.#wasReady && (exit.hopeless !== undefined || crashesInARow >= MOST_FIRST_TRIES)) {
        return this.#giveUp(exit)
      }
      await this.#rest(exit, backoffMs(crashesInARow, this.#parts.clock.random()))
    }
  }

  async #liveOnce(): Promise<{ exit: WorkerExit; readyMs: number }> {
    const { clock, log } = this.#parts
    const worker = this.#parts.startWorker((progress) =>
      this.#become({ phase: 'loading', message: describeLoading(progress), fraction: progress.fraction }),
    )
    this.#worker = worker
    try {
      const facts = toFacts(await worker.ready, Math.floor(clock.nowMs() / 1000))
      const readyAtMs = clock.nowMs()
      this.#wasReady = true
      log.info(`ready: ${facts.modelId} on ${facts.deviceName}`, { ...facts })
      this.#become({ phase: 'ready', facts })
      return { exit: await worker.exited, readyMs: clock.nowMs() - readyAtMs }
    } catch {
      return { exit: await worker.exited, readyMs: 0 } // it left before it was ready; `exited` says how
    }
  }

  #giveUp(exit: WorkerExit): void {
    const { lastLines } = exit.facts
    const message = exit.hopeless ?? `${exit.message}, ${MOST_FIRST_TRIES} times in a row`
    this.#parts.log.error('the speech engine cannot start', { reason: message, stderr: lastLines })
    this.#become({ phase: 'failed', message })
  }

  async #rest(exit: WorkerExit, ms: number): Promise<void> {
    const { log, clock } = this.#parts
    log.error('the speech engine crashed and will be restarted', {
      reason: exit.message,
      cause: exit.cause,
      restartInMs: Math.round(ms),
      stderr: exit.facts.lastLines,
    })
    this.#become({ phase: 'loading', message: 'restarting after a crash', fraction: null })
    await clock.sleep(ms, this.#stopping.signal).catch(() => {}) // only `stop` cuts it short, and the loop sees that
  }

  #become(state: EngineState): void {
    this.#state = state
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
