/**
 * What is forgotten when: jobs some days after their end, recordings when nothing will be heard in them again, and
 * blobs that no job holds. It also knows how much room all of it takes.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../log.ts'
import { audioKey, blobsOfJob, isTranscriptKey, JOBS_BEGINNING, jobOfKey, outboxKey } from './blob-keys.ts'
import type { Blobs } from './blobs.ts'
import { hasEnded, type Job } from './job.ts'
import type { JobQueue } from './job-queue.ts'

export interface RetentionParts {
  readonly queue: Pick<JobQueue, 'find' | 'forget' | 'endedBefore'>
  readonly blobs: Pick<Blobs, 'list' | 'remove'>
  /** So long after its end a job is kept. */
  readonly keptSeconds: number
  readonly nowMs: () => number
  readonly log: Log
}

/** A blob is laid down before its job is written: one so young may get its job yet. A day of audio takes a while to come. */
const UNCLAIMED_MS = 6 * 3_600_000
const AT_ONCE = 100
const BETWEEN_SWEEPS_MS = 10 * 60_000

/** What lies there after a sweep. */
export interface StoredBytes {
  readonly bytes: number
  readonly blobs: number
}

/** One sweep. What another worker sweeps at the same time does no harm: whatever is removed is gone twice. */
export async function sweep(parts: RetentionParts): Promise<StoredBytes> {
  await forgetExpired(parts)
  return removeUnneeded(parts)
}

/** Of what has expired alone; cheap where nothing has. */
async function forgetExpired({ queue, blobs, keptSeconds, nowMs, log }: RetentionParts): Promise<void> {
  const before = nowMs() - keptSeconds * 1000
  for (;;) {
    const expired = await queue.endedBefore(before, AT_ONCE)
    for (const { order } of expired) {
      // The record last: a job whose blobs could not be removed is found again.
      await blobs.remove(blobsOfJob(order.id))
      await blobs.remove(outboxKey(order.id))
      await queue.forget(order.id)
    }
    if (expired.length > 0) log.info('jobs have expired and are forgotten', { jobs: expired.length })
    if (expired.length < AT_ONCE) return
  }
}

async function removeUnneeded({ queue, blobs, nowMs }: RetentionParts): Promise<StoredBytes> {
  let stored: StoredBytes = { bytes: 0, blobs: 0 }
  const jobs = new Map<string, Job | undefined>()
  const jobOf = async (id: string) => {
    if (!jobs.has(id)) {
      jobs.clear() // keys of one job lie together
      jobs.set(id, await queue.find(id))
    }
    return jobs.get(id)
  }
  for await (const { key, sizeBytes, storedAtMs } of blobs.list(JOBS_BEGINNING)) {
    const id = jobOfKey(key)
    const job = id === undefined ? undefined : await jobOf(id)
    const isUnneeded = job === undefined ? nowMs() - storedAtMs > UNCLAIMED_MS : isOver(job, key)
    if (isUnneeded) await blobs.remove(key)
    else stored = { bytes: stored.bytes + sizeBytes, blobs: stored.blobs + 1 }
  }
  return stored
}

/** Of a failed job the recording stays as long as the job, so that it can be tried again. */
function isOver(job: Job, key: string): boolean {
  const { id, keepsAudio } = job.order
  if (!hasEnded(job) || job.state === 'failed') return false
  if (key === audioKey(id)) return !keepsAudio
  return isTranscriptKey(key) && key !== job.resultKey // of an attempt that was not the last
}

export interface Retention extends AsyncDisposable {
  /** After the last sweep; undefined before the first has ended. */
  stored(): StoredBytes | undefined
  /** What has expired goes now. What goes wrong is told to the log. */
  forgetExpired(): Promise<void>
}

/** Sweeps at once, and again and again. A sweep that fails is told to the log. */
export function startRetention(parts: RetentionParts): Retention {
  const over = new AbortController()
  let stored: StoredBytes | undefined
  const sweeping = (async () => {
    while (!over.signal.aborted) {
      try {
        stored = await sweep(parts)
      } catch (error) {
        parts.log.error('what has expired could not be removed; it is tried again', { error })
      }
      await sleep(BETWEEN_SWEEPS_MS, undefined, { signal: over.signal, ref: false }).catch(() => {})
    }
  })()
  return {
    stored: () => stored,
    forgetExpired: () =>
      forgetExpired(parts).catch((error: unknown) =>
        parts.log.error('what has expired could not be removed; it is tried again', { error }),
      ),
    [Symbol.asyncDispose]: async () => {
      over.abort()
      await sweeping
    },
  }
}
