/**
 * What is forgotten when: jobs some days after their end, recordings when nothing will be heard in them again, and
 * blobs that no job holds. It also knows how much room all of it takes.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from '../failure.ts'
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
  /** Of all jobs, as far as clients can be refused in time. 0 or absent: no bound but the disk's. */
  readonly maxBytes?: number
  readonly nowMs: () => number
  readonly log: Log
}

/** A blob is laid down before its job is written: one so young may get its job yet. A day of audio takes a while to come. */
const UNCLAIMED_MS = 6 * 3_600_000
const AT_ONCE = 100
const BETWEEN_SWEEPS_MS = 10 * 60_000
const LOOK_AGAIN_MS = 30_000

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
  /** Before a recording of so many bytes is laid down. @throws Failure insufficient_storage */
  requireRoom(bytes: number): Promise<void>
}

/** Sweeps at once, and again and again. A sweep that fails is told to the log. */
export function startRetention(parts: RetentionParts): Retention {
  const over = new AbortController()
  const sweeper = new Sweeper(parts)
  const sweeping = (async () => {
    while (!over.signal.aborted) {
      await sweeper.sweep()
      await sleep(BETWEEN_SWEEPS_MS, undefined, { signal: over.signal, ref: false }).catch(() => {})
    }
  })()
  return {
    stored: () => sweeper.stored,
    forgetExpired: () => forgetExpired(parts).catch((error: unknown) => notRemoved(parts, error)),
    requireRoom: (bytes) => sweeper.requireRoom(bytes),
    [Symbol.asyncDispose]: async () => {
      over.abort()
      await sweeping
    },
  }
}

/** One sweep at a time, and what has been laid down since. */
class Sweeper {
  readonly #parts: RetentionParts
  #stored: StoredBytes | undefined
  #sweptAtMs = Number.NEGATIVE_INFINITY
  #sweeping: Promise<void> | undefined
  /** Laid down since the last sweep began. Some of it that sweep may have counted, too: that errs on the safe side. */
  #cameBytes = 0

  constructor(parts: RetentionParts) {
    this.#parts = parts
  }

  get stored(): StoredBytes | undefined {
    return this.#stored
  }

  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweepNow().finally(() => {
      this.#sweeping = undefined
    })
    return this.#sweeping
  }

  async requireRoom(bytes: number): Promise<void> {
    const { maxBytes = 0, nowMs } = this.#parts
    if (maxBytes === 0) return
    if (this.#stored === undefined) await this.sweep()
    // Something may have been deleted since. Looking is dear, and whoever is refused asks again.
    if (!this.#fits(bytes, maxBytes) && nowMs() - this.#sweptAtMs >= LOOK_AGAIN_MS) await this.sweep()
    if (!this.#fits(bytes, maxBytes)) throw noRoomForJobs()
    this.#cameBytes += bytes
  }

  #fits(bytes: number, maxBytes: number): boolean {
    return (this.#stored?.bytes ?? 0) + this.#cameBytes + bytes <= maxBytes
  }

  async #sweepNow(): Promise<void> {
    this.#cameBytes = 0
    this.#sweptAtMs = this.#parts.nowMs()
    try {
      this.#stored = await sweep(this.#parts)
    } catch (error) {
      notRemoved(this.#parts, error)
    }
  }
}

function notRemoved({ log }: RetentionParts, error: unknown): void {
  log.error('what has expired could not be removed; it is tried again', { error })
}

function noRoomForJobs(): Failure {
  const message =
    'The server keeps as many recordings and results of jobs as it may. Please delete some, or try again later.'
  return new Failure('insufficient_storage', message)
}
