/**
 * Asks until there is an answer, whichever child gives it. A question that two children died of, the second with nothing
 * else to do, is not asked again. It does not know what the answers mean.
 */
import { Failure } from '../failure.ts'
import { eitherOf } from '../until.ts'
import type { PcmSource } from './events.ts'
import { toFailure } from './from-wire.ts'
import type { Answer, Question } from './protocol.ts'
import type { Supervisor } from './supervisor.ts'
import { Defendant, type Trials } from './trials.ts'
import type { Worker } from './worker.ts'
import { WorkerExit } from './worker-exit.ts'

interface Pursuers {
  readonly supervisor: Pick<Supervisor, 'readyWorker'>
  readonly trials: Trials
}

export interface Pursued {
  readonly pcm: PcmSource
  /** From then on no child is asked. Its reason is thrown. */
  readonly park?: AbortSignal | undefined
  /** Put to every child anew: by then more samples may be there, and a part of the answer. */
  question(): Question
  /** What the child says; its refusals are not told here. @throws what ends the pursuit. */
  hear(answer: Answer): void
}

/** Resolves after the final answer. @throws Failure; the signal's reason as soon as it aborts. */
export async function pursue(pursuers: Pursuers, pursued: Pursued, signal: AbortSignal): Promise<void> {
  const defendant = new Defendant()
  try {
    while (!(await askOnce(pursuers, pursued, defendant, signal)));
  } finally {
    pursuers.trials.dismiss(defendant)
  }
}

/** Says whether that was all. */
async function askOnce(
  { supervisor, trials }: Pursuers,
  pursued: Pursued,
  defendant: Defendant,
  signal: AbortSignal,
): Promise<boolean> {
  const worker = await enterUnlessParked({ supervisor, trials }, defendant, pursued.park, signal)
  const question = pursued.question()
  try {
    for await (const answer of worker.ask(question, pursued.pcm, signal)) {
      requireAnswer(answer, question)
      pursued.hear(answer)
      const isCleared = answer.kind === 'window' && trials.prove(defendant)
      // It goes on when the others have been tried, each alone.
      if (isCleared && trials.areOn) return false
    }
    return true
  } catch (error) {
    const death = deathIn(error)
    if (death === undefined) throw error
    if (defendant.isSuspected && death.facts.openRecordings === 1) throw fatalRecording(death)
    trials.suspect(defendant)
    return false
  } finally {
    trials.leave(defendant)
  }
}

async function enterUnlessParked(
  pursuers: Pursuers,
  defendant: Defendant,
  park: AbortSignal | undefined,
  signal: AbortSignal,
): Promise<Worker> {
  using either = eitherOf(signal, park)
  return await enter(pursuers, defendant, either.signal)
}

async function enter(
  { supervisor, trials }: Pursuers,
  defendant: Defendant,
  signal: AbortSignal,
): Promise<Worker> {
  for (;;) {
    signal.throwIfAborted() // a child that is ready is there at once, and looks at no signal
    const worker = await supervisor.readyWorker(signal)
    if (trials.tryToEnter(defendant)) return worker
    await trials.changed(signal)
  }
}

function requireAnswer(answer: Answer, question: Question): void {
  if (answer.kind === 'failed') throw toFailure(answer, question)
  // We stop listening to what we cancel, so this one was cancelled by the child: it is shutting down.
  if (answer.kind === 'cancelled') throw new Failure('shutting_down', 'The server is shutting down.')
}

/** Of the child that was asked. */
function deathIn(error: unknown): WorkerExit | undefined {
  const isCrash = error instanceof Failure && error.code === 'engine_crashed'
  return isCrash && error.cause instanceof WorkerExit ? error.cause : undefined
}

function fatalRecording(death: WorkerExit): Failure {
  return new Failure(
    'engine_crashed',
    'The speech engine stopped twice while it worked on this recording, which is not tried again.',
    { cause: death },
  )
}
