/**
 * Takes jobs out of the queue, so many at once, and has them worked on. It decides how many, and when the queue is asked
 * again after something went wrong; what working on a job is, is job-work's business.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from '../failure.ts'
import { LANES, type Lane } from './job.ts'
import type { JobQueue } from './job-queue.ts'
import { type Stopping, type WorkOutcome, type WorkParts, workOn } from './job-work.ts'

export interface RunnerParts extends WorkParts {
  readonly queue: Pick<JobQueue, 'windows' | 'find' | 'claim'>
  /** What is done before each job: what has expired is forgotten first. It does not throw. */
  readonly beforeJob?: () => Promise<void>
  /** A job has ended, here or while it was worked on here. It does not throw. */
  readonly onEnd?: (id: string) => void
  /** How many jobs of each lane are worked on side by side. */
  readonly atOnce: Readonly<Record<Lane, number>>
  /** A timer when absent. @throws when the signal aborts */
  readonly pause?: (seconds: number, signal: AbortSignal) => Promise<void>
}

export interface Runner extends AsyncDisposable {
  /**
   * No more jobs are begun; those that are worked on are put back at their next window's edge, or where they are when
   * `tooLate` aborts. Resolves when none is left. Disposing is parking for which it is too late.
   */
  park(tooLate: AbortSignal): Promise<void>
}

/** A queue that cannot be reached is asked again after this long. */
const UNREACHABLE_SECONDS = 2

export function startRunner(parts: RunnerParts): Runner {
  const parking = new AbortController()
  const cutting = new AbortController()
  const stopping = { park: parking.signal, cut: cutting.signal }
  const places = LANES.flatMap((lane) =>
    Array.from({ length: parts.atOnce[lane] }, () => occupy(parts, lane, stopping)),
  )
  const everybody = Promise.all(places).then(() => {})
  const reason = () => new Failure('shutting_down', 'The server is shutting down.')
  const cut = () => cutting.abort(reason())
  return {
    park: async (tooLate) => {
      parking.abort(reason())
      tooLate.addEventListener('abort', cut, { once: true })
      if (tooLate.aborted) cut()
      await everybody
      tooLate.removeEventListener('abort', cut)
    },
    [Symbol.asyncDispose]: () => {
      parking.abort(reason())
      cut()
      return everybody
    },
  }
}

/** One place: a job at a time, until it is parked. */
async function occupy(parts: RunnerParts, lane: Lane, stopping: Stopping): Promise<void> {
  const { park } = stopping
  const pause = async (seconds: number) => {
    const { pause: wait = pauseFor } = parts
    await wait(seconds, park).catch((error: unknown) => {
      if (!park.aborted) throw error
    })
  }
  while (!park.aborted) {
    const outcome = await takeOne(parts, lane, stopping)
    if (typeof outcome === 'object') await pause(outcome.laterSeconds)
  }
}

/** A queue that does not answer is no reason to end: it comes back, and whoever watches it is told by the log. */
async function takeOne(parts: RunnerParts, lane: Lane, stopping: Stopping): Promise<WorkOutcome> {
  try {
    await using lease = await parts.queue.claim(lane, stopping.park)
    await parts.beforeJob?.()
    const outcome = await workOn(parts, lease, stopping)
    if (outcome === 'ended') parts.onEnd?.(lease.job.order.id)
    return outcome
  } catch (error) {
    if (stopping.park.aborted) return 'parked'
    parts.log.error('the queue of jobs failed; it is asked again', { lane, error })
    return { laterSeconds: UNREACHABLE_SECONDS }
  }
}

async function pauseFor(seconds: number, signal: AbortSignal): Promise<void> {
  await sleep(seconds * 1000, undefined, { signal })
}
