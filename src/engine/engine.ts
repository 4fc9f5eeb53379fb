/**
 * The speech engine, from outside a function call. Behind it live a Python child, its death and its rebirth;
 * it knows neither HTTP nor where the samples come from.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from '../failure.ts'
import type { Log } from '../log.ts'
import type { DetectedLanguage } from '../transcript.ts'
import type { WorkerCommand } from './command.ts'
import type { EngineEvent, EngineRequest, PcmSource } from './events.ts'
import {
  toDetectedLanguage,
  toDetectQuestion,
  toDone,
  toFailure,
  toQuestion,
  toSegments,
} from './from-wire.ts'
import { loadingLog } from './loading-log.ts'
import type { Answer, Question } from './protocol.ts'
import type { EngineState } from './state.ts'
import { type Clock, Supervisor } from './supervisor.ts'
import { type StopDeadlines, Worker } from './worker.ts'

export interface Engine extends AsyncDisposable {
  /** Resolves when the model is ready. @throws Error, its message for the operator, when it never will be. */
  start(): Promise<void>
  /**
   * Waits for the engine to be ready, then hands on what it says. The samples may grow meanwhile: the engine is told,
   * and begins with what is there.
   *
   * @throws Failure through the iterator; the signal's reason as soon as it aborts.
   */
  run(request: EngineRequest, signal: AbortSignal): AsyncIterable<EngineEvent>
  /** @throws as `run`. */
  detectLanguage(pcm: PcmSource, signal: AbortSignal): Promise<DetectedLanguage>
  state(): EngineState
  /** Resolves when the child is gone. What was running fails with `shutting_down`. */
  stop(): Promise<void>
}

export interface EngineParts {
  readonly command: WorkerCommand
  readonly log: Log
  readonly stopDeadlines?: StopDeadlines
  readonly helloDeadlineMs?: number
  readonly clock?: Clock
}

const STOP_DEADLINES: StopDeadlines = { shutdownMs: 5000, terminateMs: 3000 }
/** Python starts in well under a second; a cold disk on a busy machine has been seen to need ten. */
const HELLO_DEADLINE_MS = 60_000
const NEVER = new AbortController().signal

const REAL_CLOCK: Clock = {
  nowMs: Date.now,
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
  random: Math.random,
}

export function createEngine(parts: EngineParts): Engine {
  const { command, log, clock = REAL_CLOCK, helloDeadlineMs = HELLO_DEADLINE_MS } = parts
  const report = loadingLog(log, () => clock.nowMs())
  const supervisor = new Supervisor({
    startWorker: (onLoading) =>
      new Worker({
        command,
        log,
        helloDeadlineMs,
        onLoading: (progress) => {
          report(progress)
          onLoading(progress)
        },
      }),
    stopDeadlines: parts.stopDeadlines ?? STOP_DEADLINES,
    clock,
    log,
  })
  const stop = () => supervisor.stop()
  return {
    start: () => start(supervisor),
    run: (request, signal) => run(supervisor, request, signal),
    detectLanguage: (pcm, signal) => detectLanguage(supervisor, pcm, signal),
    state: () => supervisor.state,
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

async function* run(
  supervisor: Supervisor,
  request: EngineRequest,
  signal: AbortSignal,
): AsyncGenerator<EngineEvent, void, undefined> {
  let nextSegmentId = 0
  const question = () => toQuestion(request)
  for await (const answer of ask(supervisor, question, request.pcm, signal)) {
    if (answer.kind === 'delta') yield { kind: 'delta', text: answer.text }
    else if (answer.kind === 'progress') {
      yield {
        kind: 'progress',
        processedSeconds: answer.processed_seconds,
        durationSeconds: answer.duration_seconds,
      }
    } else if (answer.kind === 'window' && answer.segments.length > 0) {
      const segments = toSegments(answer, nextSegmentId)
      nextSegmentId += segments.length
      yield { kind: 'segments', segments }
    } else if (answer.kind === 'done') yield toDone(answer)
  }
}

async function detectLanguage(
  supervisor: Supervisor,
  pcm: PcmSource,
  signal: AbortSignal,
): Promise<DetectedLanguage> {
  for await (const answer of ask(supervisor, () => toDetectQuestion(pcm), pcm, signal)) {
    if (answer.kind === 'detected') return toDetectedLanguage(answer)
  }
  throw new Error('the answers to detect_language ended without one')
}

/** What the child says, with its refusals thrown. The question is put when there is a child: by then more samples may be there. */
async function* ask(
  supervisor: Supervisor,
  question: () => Question,
  pcm: PcmSource,
  signal: AbortSignal,
): AsyncGenerator<Answer, void, undefined> {
  const worker = await supervisor.readyWorker(signal)
  for await (const answer of worker.ask(question(), pcm, signal)) {
    if (answer.kind === 'failed') throw toFailure(answer)
    // We stop listening to what we cancel, so this one was cancelled by the child: it is shutting down.
    if (answer.kind === 'cancelled') throw new Failure('shutting_down', 'The server is shutting down.')
    yield answer
  }
}
