/**
 * The speech engine, from outside a function call. Behind it live a Python child, its death and its rebirth;
 * it knows neither HTTP nor where the samples come from.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from '../failure.ts'
import type { Log } from '../log.ts'
import type { DetectedLanguage } from '../transcript.ts'
import { Channel } from './channel.ts'
import { makerOf } from './checkpoints.ts'
import type { WorkerCommand } from './command.ts'
import type { EngineEvent, EngineRequest, PcmSource } from './events.ts'
import { toDetectedLanguage, toDetectQuestion, toPulse } from './from-wire.ts'
import { Headway } from './headway.ts'
import type { HeartbeatParts } from './heartbeat.ts'
import { LoadingForecast } from './loading-forecast.ts'
import { loadingLog } from './loading-log.ts'
import type { Answer } from './protocol.ts'
import { type Pursued, pursue } from './pursuit.ts'
import type { EnginePulse, EngineState } from './state.ts'
import { type Clock, Supervisor } from './supervisor.ts'
import { Trials } from './trials.ts'
import { type StopDeadlines, Worker } from './worker.ts'

export interface Engine extends AsyncDisposable {
  /** Resolves when the model is ready. @throws Error, its message for the operator, when it never will be. */
  start(): Promise<void>
  /**
   * Waits for the engine to be ready, then hands on what it says. The samples may grow meanwhile: the engine is told,
   * and begins with what is there. When the child dies, the next one goes on after the last window that is done; so does
   * the first one here after what another process has left, if it is of any use.
   *
   * @throws Failure through the iterator; the signal's reason as soon as it aborts, that of `park` at a window's edge.
   */
  run(request: EngineRequest, signal: AbortSignal): AsyncIterable<EngineEvent>
  /** @throws as `run`. */
  detectLanguage(pcm: PcmSource, signal: AbortSignal): Promise<DetectedLanguage>
  state(): EngineState
  /** Rejects, its message for the operator, when no child of this process will find its device again. */
  readonly lost: Promise<never>
  /** Resolves when the child is gone. What was running fails with `shutting_down`. */
  stop(): Promise<void>
}

export interface EngineParts {
  readonly command: WorkerCommand
  readonly log: Log
  readonly stopDeadlines?: StopDeadlines
  readonly helloDeadlineMs?: number
  readonly heartbeat?: HeartbeatParts
  readonly clock?: Clock
  /** Told of each child when it has been started, for whoever counts them. */
  readonly onChild?: (child: Pick<Worker, 'ready' | 'exited'>) => void
  /** Told with each heartbeat how the child is doing. */
  readonly onPulse?: (pulse: EnginePulse) => void
}

interface Inside {
  readonly log: Log
  readonly supervisor: Supervisor
  readonly trials: Trials
}

const STOP_DEADLINES: StopDeadlines = { shutdownMs: 5000, terminateMs: 3000 }
/** Python starts in well under a second; a cold disk on a busy machine has been seen to need ten. */
const HELLO_DEADLINE_MS = 60_000
const NEVER = new AbortController().signal
const BEAT_MS = 5000
/**
 * A ping is answered beside the computing, but a machine that swaps may need half a minute. A turn of the child's loop is an
 * encoder pass and a step: minutes only where a large model runs on a CPU that is far too small for it.
 */
const HEARTBEAT: HeartbeatParts = {
  nextBeat: (signal) => sleep(BEAT_MS, undefined, { signal, ref: false }),
  mostUnanswered: 6,
  // Importing torch from a cold disk and starting CUDA keep all of Python waiting, threads included.
  mostUnansweredWhileLoading: 60,
  mostInOneTurn: 60,
}

const REAL_CLOCK: Clock = {
  nowMs: Date.now,
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
  random: Math.random,
}

export function createEngine(parts: EngineParts): Engine {
  const { command, log, clock = REAL_CLOCK, helloDeadlineMs = HELLO_DEADLINE_MS } = parts
  const report = loadingLog(log, () => clock.nowMs())
  const forecast = new LoadingForecast()
  const supervisor = new Supervisor({
    startWorker: (onLoading) => {
      const worker = new Worker({
        command,
        log,
        helloDeadlineMs,
        onLoading: (progress) => {
          report(progress)
          forecast.progress(progress)
          onLoading(progress)
        },
      })
      forecast.follow(worker)
      parts.onChild?.(worker)
      return worker
    },
    stopDeadlines: parts.stopDeadlines ?? STOP_DEADLINES,
    heartbeat: parts.heartbeat ?? HEARTBEAT,
    onPong: (pong) => parts.onPulse?.(toPulse(pong)),
    clock,
    log,
  })
  const inside: Inside = { log, supervisor, trials: new Trials() }
  const stop = () => supervisor.stop()
  return {
    start: () => start(supervisor),
    run: (request, signal) => run(inside, request, signal),
    detectLanguage: (pcm, signal) => detectLanguage(inside, pcm, signal),
    state: () => {
      const { state } = supervisor
      return state.phase === 'loading' ? { ...state, readyInSeconds: forecast.secondsLeft() } : state
    },
    lost: supervisor.lost,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function start(supervisor: Supervisor): Promise<void> {
  supervisor.start()
  try {
    await supervisor.readyWorker(NEVER)
  } catch (error) {
    // The Failure is written for a client; the operator wants what is behind it.
    throw supervisor.state.phase === 'failed' ? new Error(supervisor.state.message, { cause: error }) : error
  }
}

/** What the child says is taken in at once, however slowly it is read here: others wait for this one's next window. */
async function* run(
  inside: Inside,
  request: EngineRequest,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent, void, undefined> {
  const headway = new Headway(request)
  const events = new Channel<EngineEvent>()
  const beginAgain = (reason: string) => {
    inside.log.warn('a recording cannot be gone on with and is begun again', { reason })
    headway.beginAgain()
    events.push({ kind: 'begun_again' })
  }
  const question = () => {
    const maker = makerOf(inside.supervisor.state)
    if (headway.isForeignTo(maker)) beginAgain('another engine has begun it')
    return headway.question(maker)
  }
  const hear = (answer: Answer) => {
    for (const event of headway.hear(answer)) events.push(event)
    if (answer.kind === 'window') request.park?.throwIfAborted()
  }
  const over = new AbortController()
  const pursued: Pursued = { pcm: request.pcm, park: request.park, question, hear }
  const whileWanted = AbortSignal.any([signal, over.signal])
  const pursuit = pursue(inside, pursued, whileWanted)
    .catch((error: unknown) => {
      if (!headway.isResuming || !isOurFailure(error)) throw error
      beginAgain('it is divided otherwise now')
      return pursue(inside, pursued, whileWanted)
    })
    .then(
      () => events.close(),
      (error: unknown) => (signal.aborted ? events.fail(error) : events.breakOff(error)),
    )
  try {
    yield* events.read()
  } finally {
    over.abort()
    await pursuit
  }
}

/** The child says so of a recording that it cannot go on with, and of nothing that would be better from the beginning. */
function isOurFailure(error: unknown): boolean {
  return error instanceof Failure && error.code === 'engine_failed'
}

async function detectLanguage(
  inside: Inside,
  pcm: PcmSource,
  signal: AbortSignal,
): Promise<DetectedLanguage> {
  const heard: DetectedLanguage[] = []
  const hear = (answer: Answer) => {
    if (answer.kind === 'detected') heard.push(toDetectedLanguage(answer))
  }
  await pursue(inside, { pcm, question: () => toDetectQuestion(pcm), hear }, signal)
  const [detected] = heard
  if (detected === undefined) throw new Error('the answers to detect_language ended without one')
  return detected
}
