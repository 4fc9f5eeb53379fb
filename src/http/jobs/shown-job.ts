/** A job as `/v1/jobs` tells of it. What is not known is left out, and nothing is guessed. */
import { joinText } from '../../transcript.ts'
import { roundSeconds, times } from '../../formats/figures.ts'
import { stepJson } from '../../formats/afterwards-json.ts'
import { type FinishedWindow, hasEnded, type Job, type JobEvent } from '../../jobs/job.ts'
import type { Delivery } from '../../jobs/webhooks.ts'
import type { JobParts } from '../parts.ts'

/** Of what has been heard, as much of its end as somebody who looks now and then wants to see. */
const PARTIAL_TEXT_CHARACTERS = 2000

/** What a list tells of a job; by itself it tells more. */
export function briefJob(job: Job, { keptSeconds, nowMs }: Pick<JobParts, 'keptSeconds' | 'nowMs'>) {
  const { order, state, attempts, endedAtMs } = job
  const expiresAtMs = endedAtMs === undefined ? undefined : endedAtMs + keptSeconds * 1000
  const etaSeconds = etaOf(job, nowMs())
  return {
    id: order.id,
    object: 'job' as const,
    status: state,
    lane: order.lane,
    ...(order.owner !== undefined && { owner: order.owner }),
    source: order.input.kind === 'blob' ? ('file' as const) : order.input.kind,
    ...(order.fileName !== undefined && { file_name: order.fileName }),
    task: order.options.task,
    ...(order.options.language !== undefined && { language: order.options.language }),
    response_format: order.format,
    created_at: unixSeconds(order.createdAtMs),
    started_at: unixSeconds(job.startedAtMs),
    ended_at: unixSeconds(endedAtMs),
    expires_at: unixSeconds(expiresAtMs),
    attempts,
    ...lengths(job),
    ...(etaSeconds !== undefined && { eta_seconds: etaSeconds }),
    error: job.failure ?? null,
    metadata: order.metadata,
  }
}

export async function wholeJob(job: Job, parts: JobParts, { isOwner }: { readonly isOwner: boolean }) {
  const { id } = job.order
  const [position, partialText, afterwards, delivery] = await Promise.all([
    job.state === 'pending' ? parts.queue.placeInLine(id) : undefined,
    job.state === 'completed' ? '' : parts.desk.textSoFar(id),
    stepsOf(job, parts),
    parts.desk.deliveryOf(job),
  ])
  return {
    ...briefJob(job, parts),
    ...(position !== undefined && { position }),
    ...(partialText !== '' && { partial_text: partialText.slice(-PARTIAL_TEXT_CHARACTERS).toWellFormed() }),
    ...(afterwards.length > 0 && { afterwards }),
    ...(delivery !== undefined && { webhook: shownDelivery(delivery, isOwner) }),
  }
}

function shownDelivery({ url, state, attempts, nextAtMs }: Delivery, isOwner: boolean) {
  const isAwaited = state === 'due' && attempts.length > 0
  return {
    ...(isOwner && { url }),
    status: state === 'due' ? ('pending' as const) : state,
    attempts: attempts.map(({ atMs, ...outcome }) => ({ at: unixSeconds(atMs), ...outcome })),
    ...(isAwaited && { next_attempt_at: unixSeconds(nextAtMs) }),
  }
}

/** All that were asked for. One that is `skipped` will not be taken any more. */
async function stepsOf(job: Job, { desk }: JobParts) {
  const taken = (await desk.afterwardsOf(job))?.steps ?? []
  const status = hasEnded(job) ? ('skipped' as const) : ('pending' as const)
  return job.order.afterwards.map((step) => {
    const report = taken.find((one) => one.step === step)
    return report === undefined ? { step, status } : stepJson(report)
  })
}

/** One event as the `data` of a stream. */
export function shownEvent(event: JobEvent) {
  return event.kind === 'state'
    ? { status: event.state, ...(event.failure && { error: event.failure }) }
    : shownWindow(event.window)
}

function shownWindow(window: FinishedWindow) {
  return {
    window: window.number,
    text: joinText(window.segments),
    segments: window.segments.map((segment) => ({
      id: segment.id,
      ...times(segment),
      text: segment.text,
    })),
    ...lengths(window),
  }
}

type Lengths = Pick<Job, 'processedSeconds' | 'durationSeconds'> & Partial<Pick<Job, 'state'>>

/** Percent are of the audio. While a recording is still decoded, its length is what is known so far. */
function lengths({ processedSeconds, durationSeconds, state }: Lengths) {
  const isMeasured = processedSeconds !== undefined && durationSeconds !== undefined && durationSeconds > 0
  const percent =
    state === 'completed' ? 100 : isMeasured ? (processedSeconds / durationSeconds) * 100 : undefined
  return {
    ...(processedSeconds !== undefined && { processed_seconds: roundSeconds(processedSeconds) }),
    ...(durationSeconds !== undefined && { duration_seconds: roundSeconds(durationSeconds) }),
    ...(percent !== undefined && { percent: Math.round(Math.min(100, percent) * 10) / 10 }),
  }
}

/** At the speed at which it went on until now. Of a job that was begun twice, nobody knows how long it lay in between. */
function etaOf(job: Job, nowMs: number): number | undefined {
  const { state, attempts, startedAtMs, processedSeconds = 0, durationSeconds } = job
  if (state !== 'processing' || attempts > 1 || processedSeconds <= 0) return undefined
  if (startedAtMs === undefined || durationSeconds === undefined || nowMs <= startedAtMs) return undefined
  const secondsEach = (nowMs - startedAtMs) / 1000 / processedSeconds
  return Math.ceil(Math.max(0, durationSeconds - processedSeconds) * secondsEach)
}

function unixSeconds(ms: number): number
function unixSeconds(ms: number | undefined): number | null
function unixSeconds(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.floor(ms / 1000)
}
