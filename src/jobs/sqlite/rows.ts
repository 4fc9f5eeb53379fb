/** What stands in a row of the file becomes a job or an event; other versions of this program may have written it, so it is parsed. */
import { z } from 'zod'
import { JOB_STATES, type Job, JobFailure, JobOrder, LANES, type NumberedJobEvent } from '../job.ts'
import type { JobCounts } from '../job-queue.ts'
import { windowOf } from '../stored-window.ts'

const JobRow = z.object({
  sequence: z.int(),
  content: z.string(),
  state: z.enum(JOB_STATES),
  attempts: z.int(),
  barren_attempts: z.int(),
  started_at_ms: z.int().nullable(),
  ended_at_ms: z.int().nullable(),
  processed_seconds: z.number().nullable(),
  duration_seconds: z.number().nullable(),
  failure: z.string().nullable(),
  result_key: z.string().nullable(),
  token: z.int(),
})

/** A job, and what only this driver knows of it. */
export interface KeptJob {
  readonly job: Job
  readonly sequence: number
  /** Which lease of the job it is: the next one has the next number. */
  readonly token: number
  readonly barrenAttempts: number
}

export function keptJobOf(row: unknown): KeptJob {
  const { sequence, token, barren_attempts: barrenAttempts, ...kept } = JobRow.parse(row)
  const job: Job = {
    order: JobOrder.parse(JSON.parse(kept.content)),
    state: kept.state,
    attempts: kept.attempts,
    ...(kept.started_at_ms !== null && { startedAtMs: kept.started_at_ms }),
    ...(kept.ended_at_ms !== null && { endedAtMs: kept.ended_at_ms }),
    ...(kept.processed_seconds !== null && { processedSeconds: kept.processed_seconds }),
    ...(kept.duration_seconds !== null && { durationSeconds: kept.duration_seconds }),
    ...(kept.failure !== null && { failure: JobFailure.parse(JSON.parse(kept.failure)) }),
    ...(kept.result_key !== null && { resultKey: kept.result_key }),
  }
  return { job, sequence, token, barrenAttempts }
}

const EventRow = z.object({ number: z.int(), kind: z.enum(['state', 'window']), content: z.string() })

const StateEvent = z.object({
  kind: z.literal('state'),
  state: z.enum(JOB_STATES),
  failure: JobFailure.exactOptional(),
})

export function numberedEventOf(row: unknown): NumberedJobEvent {
  const { number, kind, content } = EventRow.parse(row)
  if (kind === 'window') return { number, event: { kind, window: windowOf(content) } }
  return { number, event: StateEvent.parse(JSON.parse(content)) }
}

const CountRow = z.object({ lane: z.enum(LANES), state: z.enum(JOB_STATES), jobs: z.int() })

export function countsOf(rows: readonly unknown[]): JobCounts {
  const none = () => ({ pending: 0, processing: 0, completed: 0, failed: 0, cancelled: 0 })
  const counts = { interactive: none(), batch: none() }
  for (const row of rows) {
    const { lane, state, jobs } = CountRow.parse(row)
    counts[lane][state] = jobs
  }
  return counts
}

const HolderRow = z.object({
  id: z.string(),
  boot_id: z.string(),
  pid_namespace: z.string(),
  pid: z.int(),
  started: z.string(),
  renewed_at_ms: z.number(),
  holds_for_ms: z.number(),
})

/** A connection that has handed out leases, and how long they hold if it is not heard of again. */
export interface Holder {
  readonly id: string
  readonly bootId: string
  readonly pidNamespace: string
  readonly pid: number
  readonly started: string
  readonly renewedAtMs: number
  readonly holdsForMs: number
}

export function holderOf(row: unknown): Holder {
  const { id, pid, started, ...rest } = HolderRow.parse(row)
  return {
    id,
    pid,
    started,
    bootId: rest.boot_id,
    pidNamespace: rest.pid_namespace,
    renewedAtMs: rest.renewed_at_ms,
    holdsForMs: rest.holds_for_ms,
  }
}
