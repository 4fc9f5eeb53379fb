/**
 * Jobs in the dialect of a server that people already have clients for: `POST /transcribe/async`, and `/jobs/{id}` with
 * its status, result and cancel. The same jobs as `/v1/jobs`; docs/decisions/0052-one-resource-three-dialects.md.
 */
import { type Context, Hono } from 'hono'
import { Failure } from '../../failure.ts'
import { besides } from '../../formats/afterwards-json.ts'
import { readableJson } from '../../formats/readable-json.ts'
import { hasEnded, type Job } from '../../jobs/job.ts'
import type { Transcript } from '../../transcript.ts'
import type { LooseUpload } from '../../upload/receive.ts'
import { parseForm } from '../form.ts'
import type { HttpEnv, Parts } from '../parts.ts'
import { readableWish } from '../readable-wish.ts'
import { receiveOrder } from '../upload-route.ts'
import { handIn } from './hand-in.ts'
import { metadataOf, TaskFields } from './job-fields.ts'
import { cancelJob, failureOf, findOwnJob, requireEnded } from './own-job.ts'

const PATH = '/jobs/:id{[^/]+}'

export function asyncTranscribeRoutes(parts: Parts): Hono<HttpEnv> {
  return new Hono<HttpEnv>()
    .post('/transcribe/async', async (c) => {
      await using upload = await receiveOrder(c, parts)
      const { order, state } = (await handInTask(c, parts, upload)).job
      const name = order.fileName ?? 'a recording without a name'
      c.header('location', `/jobs/${order.id}/status`)
      return c.json({
        job_id: order.id,
        status: state,
        message: `Transcription job started for ${name}`,
      })
    })
    .get(`${PATH}/status`, async (c) => {
      const job = await findOwnJob(c, parts, c.req.param('id'))
      return c.json(await statusOf(job, parts), 200, { 'cache-control': 'no-store' })
    })
    .get(`${PATH}/result`, async (c) => {
      const job = await findOwnJob(c, parts, c.req.param('id'))
      return c.json(await readableResult(job, parts), 200, { 'cache-control': 'no-store' })
    })
    .post(`${PATH}/cancel`, async (c) => {
      const { order } = await cancelJob(c, parts, c.req.param('id'))
      return c.json({ message: `Job ${order.id} cancelled`, status: 'cancelled' })
    })
}

/** An order in the fields of `POST /transcribe`. */
export function handInTask(c: Context<HttpEnv>, parts: Parts, upload: LooseUpload) {
  const form = parseForm(TaskFields, upload.fields)
  const handling = { ...form, metadata: metadataOf(upload.fields) }
  return handIn(c, parts, upload, { wish: readableWish(form, parts), handling })
}

/** @throws Failure job_not_completed, job_failed */
export async function readableResult(job: Job, { jobs }: Parts) {
  requireEnded(job)
  const failure = failureOf(job)
  if (failure) throw new Failure('job_failed', `The transcription job failed: ${failure.message}`)
  const transcript = await jobs.desk.transcriptOf(job)
  return { ...readable(job, transcript), ...besides(await jobs.desk.afterwardsOf(job)) }
}

function readable({ order, endedAtMs }: Job, transcript: Transcript) {
  return {
    ...readableJson(transcript, { hasTimestamps: hasTimestamps(order.options) }),
    ...(order.fileName !== undefined && { filename: order.fileName }),
    ...(endedAtMs !== undefined && { timestamp: isoTime(endedAtMs) }),
  }
}

/** Only who said that it wants none gets none: all other orders ask for words, where there are any. */
function hasTimestamps({ wantsWords, task }: Job['order']['options']): boolean {
  return wantsWords || task === 'translate'
}

async function statusOf(job: Job, parts: Parts) {
  const { order, state, endedAtMs, failure } = job
  return {
    job_id: order.id,
    status: state,
    filename: order.fileName ?? null,
    created_at: isoTime(order.createdAtMs),
    completed_at: hasEnded(job) && endedAtMs !== undefined ? isoTime(endedAtMs) : null,
    error: state === 'failed' ? (failure?.message ?? 'The job failed.') : null,
    result: state === 'completed' ? await readableResult(job, parts) : null,
  }
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
