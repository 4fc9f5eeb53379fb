/**
 * Keeps one child alive: starts it, starts another when it dies, gives up when that cannot help, stops it at the end.
 * It does not know what the child is asked.
 */
import { Failure } from '../failure.ts'
import type { Log } from '../log.ts'
import { until } from '../until.ts'
import { toFacts } from './from-wire.ts'
import { type HeartbeatParts, whatIsWrong, whatIsWrongWhileLoading } from './heartbeat.ts'
import { describeLoading } from './loading-log.ts'
import type { LoadingMessage, PongMessage, ReadyMessage } from './protocol.ts'
import { type EngineFacts, type EngineState, restingFailure } from './state.ts'
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
  readonly heartbeat: HeartbeatParts
  /** Told of each answer to a heartbeat. */
  readonly onPong?: (pong: PongMessage) => void
  readonly clock: Clock
  readonly log: Log
}

const FIRST_BACKOFF_MS = 500
/** A child that was ready this long, or has answered somebody, has earned a quick restart again. */
const STEADY_MS = 60_000
/**
 * So many deaths in a row, and it is left alone for a while; whoever asks meanwhile is told so at once. A child that dies
 * this often before it was ever ready will not become so: better to say that than to try for ever.
 */
const MOST_DEATHS = 5
const FIRST_REST_MS = 60_000
const LONGEST_REST_MS = 300_000

/**
 * Half a second, doubling; from the fifth death on rests of one to five minutes. Up to a quarter shorter, so that several
 * servers do not start in step.
 */
export function backoffMs(deathsInARow: number, random: number): number {
  const rests = deathsInARow - MOST_DEATHS
  const full =
    rests < 0
      ? FIRST_BACKOFF_MS * 2 ** (deathsInARow - 1)
      : Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** rests)
  return full * (1 - random / 4)
}

export class Supervisor {
  readonly #parts: SupervisorParts
  readonly #stopping = new AbortController()
  #worker: Worker | undefined
  #running: Promise<void> | undefined
  #wasReady = false
  #state: EngineState = { phase: 'loading', message: 'starting', fraction: null }
  /** When the rest ends that it has now, if it has one. */
  #restsUntilMs = 0
  #lastDevice: string | undefined
  readonly #lost = Promise.withResolvers<never>()
  #changed = Promise.withResolvers<void>()

  constructor(parts: SupervisorParts) {
    this.#parts = parts
    this.#lost.promise.catch(() => {}) // nobody has to listen
  }

  /**
   * Rejects, its message for the operator, when a child that was ready has lost its device for good: no child of this process
   * will find it again. Whoever asks meanwhile is told that the engine rests.
   */
  get lost(): Promise<never> {
    return this.#lost.promise
  }

  get state(): EngineState {
    const state = this.#state
    if (state.phase !== 'resting') return state
    const leftMs = Math.max(0, this.#restsUntilMs - this.#parts.clock.nowMs())
    const message = `${state.message} The next try begins in ${Math.ceil(leftMs / 1000)} s.`
    return { ...state, message, retryInSeconds: leftMs / 1000 }
  }

  /** Starts the first child; the later ones come by themselves. */
  start(): void {
    this.#running ??= this.#keepAlive()
  }

  /**
   * A child that can be asked, as soon as there is one.
   *
   * @throws Failure `engine_failed` when there will be none, `engine_resting` when there is none for a while,
   *   `shutting_down` after `stop`; the signal's reason.
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
      if (this.state.phase === 'resting') throw restingFailure(this.state)
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
    for (let deathsInARow = 1; !this.#stopping.signal.aborted; deathsInARow++) {
      const { exit, wasSteady } = await this.#liveOnce()
      if (this.#stopping.signal.aborted) return
      if (wasSteady) deathsInARow = 1
      if (!this.#wasReady && (exit.hopeless !== undefined || deathsInARow >= MOST_DEATHS)) {
        return this.#giveUp(exit)
      }
      if (exit.isWithoutDevice && deathsInARow >= MOST_DEATHS) this.#loseDevice(exit)
      await this.#pause(exit, deathsInARow)
    }
  }

  async #liveOnce(): Promise<{ exit: WorkerExit; wasSteady: boolean }> {
    const { clock, log } = this.#parts
    const worker = this.#parts.startWorker((progress) =>
      this.#become({ phase: 'loading', message: describeLoading(progress), fraction: progress.fraction }),
    )
    this.#worker = worker
    try {
      const facts = toFacts(await this.#readinessOf(worker), Math.floor(clock.nowMs() / 1000))
      const readyAtMs = clock.nowMs()
      this.#wasReady = true
      log.info(`ready: ${facts.modelId} on ${facts.deviceName}`, { pid: worker.pid, ...facts })
      this.#tellOfAnotherDevice(facts)
      this.#become({ phase: 'ready', facts })
      const exit = await this.#exitOf(worker)
      return { exit, wasSteady: worker.hasAnswered || clock.nowMs() - readyAtMs >= STEADY_MS }
    } catch {
      return { exit: await worker.exited, wasSteady: false } // it left before it was ready; `exited` says how
    }
  }

  /** With DEVICE=auto a child takes what is left: nobody would see it but by the time that everything takes. */
  #tellOfAnotherDevice({ device, reasons }: EngineFacts): void {
    const was = this.#lastDevice
    this.#lastDevice = device
    if (was === undefined || was === device) return
    const why = { was, is: device, reason: reasons['device'] }
    this.#parts.log.warn(
      'the speech engine is on another device than before; REQUIRE_GPU=1 would end it',
      why,
    )
  }

  #giveUp(exit: WorkerExit): void {
    const { lastLines } = exit.facts
    const message = exit.hopeless ?? `${exit.message}, ${MOST_DEATHS} times in a row`
    this.#parts.log.error('the speech engine cannot start', { reason: message, stderr: lastLines })
    this.#become({ phase: 'failed', message })
  }

  #loseDevice(exit: WorkerExit): void {
    this.#parts.log.error('the speech engine has lost its device', { reason: exit.hopeless })
    this.#lost.reject(new Error(exit.hopeless))
  }

  /** Until it is time for the next child. */
  async #pause(exit: WorkerExit, deathsInARow: number): Promise<void> {
    const { log, clock } = this.#parts
    const ms = backoffMs(deathsInARow, clock.random())
    log.error('the speech engine crashed and will be restarted', {
      reason: exit.message,
      cause: exit.cause,
      deathsInARow,
      restartInMs: Math.round(ms),
      stderr: exit.facts.lastLines,
    })
    this.#restsUntilMs = clock.nowMs() + ms
    const message = `The speech engine died ${deathsInARow} times in a row and rests.`
    this.#become(
      deathsInARow < MOST_DEATHS
        ? { phase: 'loading', message: 'restarting after a crash', fraction: null }
        : { phase: 'resting', message, retryInSeconds: ms / 1000 },
    )
    await clock.sleep(ms, this.#stopping.signal).catch(() => {}) // only `stop` cuts it short, and the loop sees that
    this.#become({ phase: 'loading', message: 'restarting after a crash', fraction: null })
  }

  /** Until it is ready. @throws WorkerExit when it never will be. */
  async #readinessOf(worker: Worker): Promise<ReadyMessage> {
    using _watch = this.#watch(worker, whatIsWrongWhileLoading)
    return await worker.ready
  }

  async #exitOf(worker: Worker): Promise<WorkerExit> {
    using _watch = this.#watch(worker, whatIsWrong)
    return await worker.exited
  }

  /** One that does not live any more, or does nothing, is made to leave. Disposing ends the watch. */
  #watch(worker: Worker, diagnose: typeof whatIsWrongWhileLoading): Disposable {
    const { heartbeat, onPong } = this.#parts
    const over = new AbortController()
    const patient = {
      ping: async () => {
        const pong = await worker.ping()
        onPong?.(pong)
        return pong
      },
    }
    diagnose(patient, heartbeat, AbortSignal.any([over.signal, this.#stopping.signal])).then(
      (problem) => worker.giveUp(new Error(problem)),
      () => {}, // it left by itself, or is about to; or it is ready
    )
    return { [Symbol.dispose]: () => over.abort() }
  }

  #become(state: EngineState): void {
    this.#state = state
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
