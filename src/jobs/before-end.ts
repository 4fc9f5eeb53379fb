/** What comes between a job's transcript and its end: the steps that were asked for, and the way to where the result was wanted. */
import { type Afterwards, goThroughSteps, withoutModel } from '../afterwards/afterwards.ts'
import { type ChatSettings, chatModel } from '../afterwards/chat.ts'
import { besides } from '../formats/afterwards-json.ts'
import { markdown } from '../formats/markdown.ts'
import { verboseJson } from '../formats/verbose-json.ts'
import { englishName } from '../languages.ts'
import type { Log } from '../log.ts'
import type { Transcript } from '../transcript.ts'
import { afterwardsKey } from './blob-keys.ts'
import type { Blobs } from './blobs.ts'
import type { Job } from './job.ts'
import type { S3Exchange } from './s3-exchange.ts'

export interface BeforeEndParts {
  readonly blobs: Pick<Blobs, 'put'>
  /** Absent: no step can be taken. */
  readonly languageModel?: ChatSettings | undefined
  readonly deliver?: S3Exchange['deliver'] | undefined
  readonly log: Log
}

/** @throws Failure s3_failed, s3_not_configured; the signal's reason. Steps fail for themselves alone. */
export function beforeEndOf(parts: BeforeEndParts) {
  return async (job: Job, transcript: Transcript, signal: AbortSignal): Promise<void> => {
    const afterwards = await takeSteps(parts, job, transcript, signal)
    await bringWhereItIsWanted(parts, job, { transcript, afterwards }, signal)
  }
}

async function takeSteps(
  { blobs, languageModel, log }: BeforeEndParts,
  { order }: Job,
  transcript: Transcript,
  signal: AbortSignal,
): Promise<Afterwards | undefined> {
  const { afterwards: steps } = order
  if (steps.length === 0) return undefined
  const { language } = transcript
  const request = {
    steps,
    glossary: order.options.keywords ?? [],
    ...(language !== undefined && { language: englishName(language) }),
  }
  const outcome =
    languageModel === undefined
      ? withoutModel(transcript, steps)
      : await goThroughSteps(chatModel(languageModel), transcript, request, signal, log)
  await blobs.put(afterwardsKey(order.id), JSON.stringify(outcome), signal)
  return outcome
}

async function bringWhereItIsWanted(
  { deliver }: BeforeEndParts,
  { order }: Job,
  made: { readonly transcript: Transcript; readonly afterwards: Afterwards | undefined },
  signal: AbortSignal,
): Promise<void> {
  const { s3Path, rendering, fileName, id } = order
  if (s3Path === undefined) return
  if (deliver === undefined)
    throw new Error('a job wants its result in an S3 store, and there is none any more')
  const { transcript, afterwards } = made
  const whole = { ...verboseJson(transcript, { ...rendering, hasWords: true }), ...besides(afterwards) }
  const md = markdown(transcript, { title: fileName ?? id, afterwards })
  await deliver(s3Path, { json: JSON.stringify(whole), md }, signal)
}
