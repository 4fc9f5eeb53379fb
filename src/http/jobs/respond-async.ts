/**
 * `Prefer: respond-async` (RFC 7240 §4.1) makes a job of a request that would have been answered on its connection, and `wait`
 * (§4.3) says how long the client would rather have the answer itself. It does not know what the answers look like.
 */
import type { Context } from 'hono'
import { type Rendered, render } from '../../formats/render.ts'
import { hasEnded, type Job } from '../../jobs/job.ts'
import { jobNotFound } from '../../jobs/job-desk.ts'
import type { Transcript } from '../../transcript.ts'
import { until } from '../../until.ts'
import type { Fields, LooseUpload } from '../../upload/receive.ts'
import type { Wish } from '../answer.ts'
import { parseForm } from '../form.ts'
import { hangUp } from '../hang-up.ts'
import type { HttpEnv, Parts } from '../parts.ts'
import { setTimer } from '../patience.ts'
import { receiveOrder } from '../upload-route.ts'
import { handIn, type KeptWish, NO_HANDLING, withWords } from './hand-in.ts'
import { HandlingFields } from './job-fields.ts'
import { resultOf } from './job-result.ts'
import { accepted } from './jobs.ts'

export interface AsyncPreference {
  readonly waitSeconds: number
}

/** Node's own clients wait so long for the headers of an answer. */
const LONGEST_WAIT_SECONDS = 300

/** Undefined: the client wants its answer on this connection. */
export function asyncPreference(c: Context<HttpEnv>): AsyncPreference | undefined {
  const preferences = (c.req.header('prefer') ?? '')
    .split(',')
    .map((one) => one.split(';', 1)[0]?.trim() ?? '')
  if (!preferences.some((one) => /^respond-async$/i.test(one))) return undefined
  const asked = preferences.flatMap((one) => /^wait\s*=\s*"?(\d{1,9})"?$/i.exec(one)?.[1] ?? [])[0]
  return { waitSeconds: Math.min(Number(asked ?? 0), LONGEST_WAIT_SECONDS) }
}

/** The same wish as a job, told in the format that was asked for. It has no stream: its job has events. @throws Failure */
export async function answerLater(
  c: Context<HttpEnv>,
  parts: Parts,
  preference: AsyncPreference,
  wishOf: (fields: Fields) => Wish,
): Promise<Response> {
  await using upload = await receiveOrder(c, parts)
  const { options, format, rendering } = wishOf(upload.fields)
  return await answerAsync(c, parts, upload, {
    wish: withWords({ options, format, rendering }),
    preference,
    tell: (transcript, { order }) => render(transcript, order.format, order.rendering),
  })
}

/** Where the recording is, when it is no file of the request. */
const SourceFields = HandlingFields.pick({ url: true, upload_id: true })

/** The answer in time, or the job. @throws Failure, also the job's own, when it has failed in time. */
export async function answerAsync(
  c: Context<HttpEnv>,
  parts: Parts,
  upload: LooseUpload,
  {
    wish,
    preference: { waitSeconds },
    tell,
  }: {
    readonly wish: KeptWish
    readonly preference: AsyncPreference
    readonly tell: (transcript: Transcript, job: Job) => Rendered
  },
): Promise<Response> {
  const isAwaited = waitSeconds > 0 && c.get('tier') !== 'deferred'
  const source = parseForm(SourceFields, upload.fields)
  const handling = { ...NO_HANDLING, ...source, ...(isAwaited && { lane: 'interactive' as const }) }
  const { job } = await handIn(c, parts, upload, { wish, handling })
  c.header('preference-applied', waitSeconds > 0 ? `respond-async, wait=${waitSeconds}` : 'respond-async')
  const ended = waitSeconds > 0 ? await endedInTime(c, parts, job, waitSeconds) : undefined
  if (ended === undefined || ended.state === 'cancelled') return accepted(c, parts, ended ?? job, 202)
  const { body, contentType } = tell(await resultOf(parts, ended), ended)
  return c.body(body, 200, { 'content-type': contentType })
}

/** Undefined: not yet. A client that leaves meanwhile leaves its job behind. @throws Failure job_not_found */
async function endedInTime(
  c: Context<HttpEnv>,
  { jobs, setAlarm = setTimer }: Parts,
  job: Job,
  waitSeconds: number,
): Promise<Job | undefined> {
  if (hasEnded(job)) return job // an order that was repeated
  const { id } = job.order
  using alarm = setAlarm(waitSeconds * 1000)
  const over = hangUp(c)
  const end = lastEvent(jobs.queue, id, over.signal)
  try {
    await Promise.race([until(end, over.signal), alarm.rings])
  } finally {
    if (!over.signal.aborted) over.abort(new Error('waited for long enough'))
    await end.catch(() => {}) // it has been told, or nobody waits for it any more
  }
  const now = await jobs.queue.find(id)
  if (now === undefined) throw jobNotFound(id)
  return hasEnded(now) ? now : undefined
}

async function lastEvent(queue: Parts['jobs']['queue'], id: string, signal: AbortSignal): Promise<void> {
  for await (const _event of queue.events(id, 0, signal));
}
