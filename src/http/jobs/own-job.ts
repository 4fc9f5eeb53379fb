/** Which jobs a client may see: its own, and with the scope `admin` everybody's. Where nobody needs a key, everybody is the operator. */
import type { Context } from 'hono'
import { z } from 'zod'
import { FAILURES, Failure, type FailureCode } from '../../failure.ts'
import type { Job } from '../../jobs/job.ts'
import { jobNotFound } from '../../jobs/job-desk.ts'
import type { HttpEnv, Parts } from '../parts.ts'
import { JOB_ID_HEADER } from './hand-in.ts'

export function isOperator(c: Context<HttpEnv>): boolean {
  return c.get('scopes')?.includes('admin') ?? true
}

/** The job, whose id then stands in the answer's headers. Another's is as unknown as none. @throws Failure job_not_found */
export async function findOwnJob(c: Context<HttpEnv>, { jobs }: Parts, id: string): Promise<Job> {
  const job = z.uuid().safeParse(id).success ? await jobs.queue.find(id.toLowerCase()) : undefined
  if (job === undefined || !(isOperator(c) || job.order.owner === c.get('clientId'))) throw jobNotFound(id)
  c.header(JOB_ID_HEADER, job.order.id)
  return job
}

/** @throws Failure job_not_found; job_not_cancellable when it had ended before. */
export async function cancelJob(c: Context<HttpEnv>, parts: Parts, id: string): Promise<Job> {
  const { order } = await findOwnJob(c, parts, id)
  const cancelled = await parts.jobs.desk.cancel(order.id)
  if (cancelled === undefined) throw jobNotFound(id)
  const { job, isCancelled } = cancelled
  if (isCancelled) {
    parts.metrics.jobsEnded.add(1, { outcome: 'cancelled' })
    parts.jobs.onEnd?.(job.order.id)
    return job
  }
  throw new Failure(
    'job_not_cancellable',
    `The job ${order.id} has ended already: it is ${job.state}. Only a job that is pending or processing can be cancelled.`,
  )
}

/** @throws Failure job_not_completed, also of a job that was cancelled. */
export function requireEnded({ order, state }: Job): void {
  if (state === 'completed' || state === 'failed') return
  const when =
    state === 'cancelled'
      ? 'it was cancelled and has none'
      : `it is ${state}, and there is one when it is completed`
  throw new Failure('job_not_completed', `The job ${order.id} has no result: ${when}.`)
}

/** What its client would have been told, had it waited. Undefined: it has not failed. */
export function failureOf({ state, failure }: Job): Failure | undefined {
  if (state !== 'failed') return undefined
  const { code, message, param } = failure ?? { code: '', message: 'The job failed.', param: null }
  const known = Object.hasOwn(FAILURES, code) ? (code as FailureCode) : 'internal_error'
  return new Failure(known, message, param === null ? {} : { param })
}
