/**
 * Tells clients that their jobs have ended, until they listen or a day is over. What is still to be told lies beside the
 * recordings, since the day that a job is handed in: nothing is lost with a process, and any worker may tell it.
 */
import { z } from 'zod'
import type { Log } from '../log.ts'
import { deliveryLogKey, jobOfOutboxKey, OUTBOX_BEGINNING, outboxKey } from './blob-keys.ts'
import { type Blobs, BlobMissing } from './blobs.ts'
import { hasEnded, type Job } from './job.ts'
import type { JobQueue } from './job-queue.ts'
import { messageOf, pauseSeconds, type WebhookMessage } from './webhook-message.ts'

const Attempt = z.object({
  atMs: z.int(),
  /** What the receiver answered; or why there was no answer. */
  status: z.int().exactOptional(),
  error: z.string().exactOptional(),
})

/** What has been tried, and when it is tried again. */
const Delivery = z.object({
  job: z.string(),
  url: z.string(),
  state: z.enum(['due', 'delivered', 'given_up']),
  attempts: z.array(Attempt),
  nextAtMs: z.int(),
  /** When it was promised; an earlier version did not say. */
  promisedAtMs: z.int().default(0),
})
export type Delivery = z.output<typeof Delivery>

export interface WebhookParts {
  readonly blobs: Pick<Blobs, 'put' | 'read' | 'list' | 'remove'>
  readonly queue: Pick<JobQueue, 'find'>
  /** Standard Webhooks' `whsec_…`. */
  readonly secret: string
  /** Resolves with the status of the answer. @throws when there is none, or the address may not be spoken to */
  readonly post: (url: string, message: WebhookMessage, signal: AbortSignal) => Promise<number>
  readonly nowMs: () => number
  readonly random: () => number
  readonly log: Log
}

/** Who takes a delivery up writes this time into it first. Another worker that sees it leaves it alone until then. */
const TAKEN_MS = 120_000

interface PromisedDelivery {
  readonly job: string
  readonly url: string
  readonly atMs: number
  readonly nextAtMs?: number
}

/** It is promised before the job is written: one that has no job after this long will not get one. */
const UNCLAIMED_MS = 600_000

/** Before the job is handed in, or tried again; told at the earliest at that time. @throws what the blobs throw */
export async function promiseDelivery(
  { blobs }: Pick<WebhookParts, 'blobs'>,
  { job, url, atMs, nextAtMs = atMs }: PromisedDelivery,
): Promise<void> {
  const delivery: Delivery = { job, url, state: 'due', attempts: [], nextAtMs, promisedAtMs: atMs }
  await blobs.put(outboxKey(job), JSON.stringify(delivery))
}

/** Undefined: nobody was to be told. */
export async function deliveryOf(
  { blobs }: Pick<WebhookParts, 'blobs'>,
  job: string,
): Promise<Delivery | undefined> {
  return (await readDelivery(blobs, outboxKey(job))) ?? (await readDelivery(blobs, deliveryLogKey(job)))
}

/** All that is due now, one after the other. */
export async function deliverDue(
  parts: WebhookParts,
  signal: AbortSignal,
  deliverIt = (id: string) => deliverOne(parts, id, signal),
): Promise<void> {
  for await (const { key } of parts.blobs.list(OUTBOX_BEGINNING)) {
    if (signal.aborted) return
    await deliverIt(jobOfOutboxKey(key))
  }
}

/** If it is due. What fails is told to the log and tried again. */
export async function deliverOne(parts: WebhookParts, id: string, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  try {
    const delivery = await readDelivery(parts.blobs, outboxKey(id))
    if (delivery !== undefined && delivery.nextAtMs <= parts.nowMs()) await deliver(parts, delivery, signal)
  } catch (error) {
    parts.log.error('a webhook could not be delivered', { job: id, error })
  }
}

/** Nobody is to be told of the job any more. */
export async function breakPromise({ blobs }: Pick<WebhookParts, 'blobs'>, id: string): Promise<void> {
  await blobs.remove(outboxKey(id))
}

async function deliver(parts: WebhookParts, delivery: Delivery, signal: AbortSignal): Promise<void> {
  const { blobs, queue, nowMs } = parts
  const job = await queue.find(delivery.job)
  if (job === undefined) {
    // Forgotten, or not written yet.
    if (nowMs() - delivery.promisedAtMs > UNCLAIMED_MS) await breakPromise(parts, delivery.job)
    return
  }
  if (!hasEnded(job)) return
  await keep(parts, { ...delivery, nextAtMs: nowMs() + TAKEN_MS })
  const attempt = await attemptIt(parts, job, delivery.url, signal)
  if (signal.aborted) return // not its receiver's fault: taken up again in two minutes
  if ((await queue.find(delivery.job)) === undefined) return breakPromise(parts, delivery.job) // deleted meanwhile
  const next = nextOf(delivery, attempt, parts)
  parts.log.info('webhook', { job: delivery.job, state: next.state, ...attempt })
  if (next.state === 'due') return keep(parts, next)
  await blobs.put(deliveryLogKey(delivery.job), JSON.stringify(next))
  await blobs.remove(outboxKey(delivery.job))
}

async function attemptIt(
  { post, secret, nowMs }: WebhookParts,
  job: Job,
  url: string,
  signal: AbortSignal,
): Promise<z.output<typeof Attempt>> {
  const atMs = nowMs()
  try {
    return { atMs, status: await post(url, messageOf(job, secret, atMs), signal) }
  } catch (error) {
    return { atMs, error: error instanceof Error ? error.message : String(error) }
  }
}

const GONE = 410

function nextOf(
  delivery: Delivery,
  attempt: z.output<typeof Attempt>,
  { nowMs, random }: Pick<WebhookParts, 'nowMs' | 'random'>,
): Delivery {
  const attempts = [...delivery.attempts, attempt]
  const { status = 0 } = attempt
  if (status >= 200 && status < 300) return { ...delivery, attempts, state: 'delivered' }
  const pause = status === GONE ? undefined : pauseSeconds(attempts.length, random())
  if (pause === undefined) return { ...delivery, attempts, state: 'given_up' }
  return { ...delivery, attempts, nextAtMs: Math.ceil(nowMs() + pause * 1000) }
}

async function keep({ blobs }: WebhookParts, delivery: Delivery): Promise<void> {
  await blobs.put(outboxKey(delivery.job), JSON.stringify(delivery))
}

async function readDelivery(blobs: Pick<Blobs, 'read'>, key: string): Promise<Delivery | undefined> {
  try {
    const chunks = await Array.fromAsync(blobs.read(key))
    return Delivery.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')))
  } catch (error) {
    if (error instanceof BlobMissing) return undefined // another worker was quicker
    throw error
  }
}
