/**
 * The steps after a transcript, in the order in which they were asked for. The transcript itself is never touched, and
 * nothing that happens here fails a job: what a step could not do is written beside what the others did.
 */
import type { Log } from '../log.ts'
import type { Transcript } from '../transcript.ts'
import type { ChatModel } from './chat.ts'
import { type Draft, STEPS, type Step, takeStep } from './steps.ts'

export interface StepReport {
  /** Its name; another version of this program may know others. */
  readonly step: string
  readonly state: 'done' | 'failed'
  /** Why it failed, for people. */
  readonly message?: string
  readonly pieces?: number
  readonly refusedPieces?: number
}

/** What came of the steps. `text` is the transcript's as the steps have left it. */
export interface Afterwards extends Draft {
  /** Which was asked; absent: there was none to ask. */
  readonly model?: string
  readonly steps: readonly StepReport[]
}

export interface AfterwardsRequest {
  readonly steps: readonly string[]
  readonly glossary: readonly string[]
  /** English name. */
  readonly language?: string
}

/** @throws only the signal's reason */
export async function goThroughSteps(
  model: ChatModel,
  transcript: Pick<Transcript, 'text'>,
  { steps, ...request }: AfterwardsRequest,
  signal: AbortSignal,
  log: Log,
): Promise<Afterwards> {
  let draft: Draft = { text: transcript.text }
  const reports: StepReport[] = []
  for (const step of steps.filter(isStep)) {
    try {
      const {
        draft: next,
        pieces,
        refusedPieces,
      } = await takeStep(step, draft, { model, ...request, signal })
      draft = next
      reports.push({ step, state: 'done', pieces, refusedPieces })
    } catch (error) {
      signal.throwIfAborted()
      log.warn('a step after the transcript failed', { step, error })
      reports.push({ step, state: 'failed', message: messageOf(error) })
    }
  }
  return { ...draft, model: model.name, steps: reports }
}

/** The steps were asked for when there was a language model, and there is none any more. */
export function withoutModel(transcript: Pick<Transcript, 'text'>, steps: readonly string[]): Afterwards {
  const message = 'This server has no language model any more.'
  return { text: transcript.text, steps: steps.map((step) => ({ step, state: 'failed', message })) }
}

function isStep(name: string): name is Step {
  return STEPS.some((step) => step === name)
}

/** Of our own errors the sentence; of others only their kind: a parser's message repeats what it could not read. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return 'It failed.'
  if (error.message.startsWith('the language model'))
    return `${error.message[0]?.toUpperCase()}${error.message.slice(1)}.`
  return error.name === 'TimeoutError'
    ? 'The language model did not answer in time.'
    : 'The language model could not be reached, or its answer could not be read.'
}
