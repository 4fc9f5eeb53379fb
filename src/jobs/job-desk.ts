/**
 * Where jobs are handed in and fetched: a recording and what is asked of it become a job that survives, and an ended
 * job's transcript comes back. It knows the two ports and nothing of who asks, or of who does the work.
 */
import { createHash, randomUUID } from 'node:crypto'
import type { Afterwards } from '../afterwards/afterwards.ts'
import { Failure } from '../failure.ts'
import { joinText, type Transcript } from '../transcript.ts'
import { isDiskFull, noRoom } from '../upload/disk-room.ts'
import { audioKey, blobsOfJob } from './blob-keys.ts'
import { BlobMissing, type Blobs } from './blobs.ts'
import { type Job, type JobInput, JobOrder, standingWindows } from './job.ts'
import type { JobQueue } from './job-queue.ts'
import { readAfterwards } from './stored-afterwards.ts'
import { readTranscript } from './stored-transcript.ts'
import { recordingGone } from './recording-gone.ts'
import { breakPromise, type Delivery, deliveryOf, promiseDelivery } from './webhooks.ts'

/** A file of this machine, which the desk takes away; or where the recording will be found. */
export type Recording =
  | { readonly kind: 'file'; readonly path: string; readonly sizeBytes: number; readonly identity: string }
  | Exclude<JobInput, { kind: 'blob' }>

/** An order as a client means it; the rest the desk adds. */
export type Draft = Omit<JobOrder, 'id' | 'input' | 'fingerprint' | 'createdAtMs'> & {
  readonly recording: Recording
}

export interface DeskParts {
  readonly queue: JobQueue
  readonly blobs: Blobs
  readonly nowMs: () => number
  /** Before a recording is laid down. @throws Failure insufficient_storage */
  readonly requireRoom?: (bytes: number) => Promise<void>
}

/** Half an hour of speech holds more than anybody is shown, and whoever looks again and again shall not cost ten hours each time. */
const WINDOWS_SHOWN = 64
/** Until a job that is tried again is pending for everybody. */
const HELD_BACK_MS = 120_000

export class JobDesk {
  readonly #parts: DeskParts

  constructor(parts: DeskParts) {
    this.#parts = parts
  }

  /**
   * When it resolves, the job survives. A repetition of an earlier order of this owner's under the same key is that job.
   *
   * @throws Failure idempotency_key_reused when the earlier order was another one.
   */
  async handIn({ recording, ...asked }: Draft): Promise<{ readonly job: Job; readonly isNew: boolean }> {
    const id = randomUUID()
    const fingerprint = fingerprintOf(recording, asked)
    const input = await this.#layDown(id, recording)
    const createdAtMs = this.#parts.nowMs()
    const { callbackUrl: url } = asked
    if (url !== undefined) {
      await this.#orNothing(id, () => promiseDelivery(this.#parts, { job: id, url, atMs: createdAtMs }))
    }
    const added = await this.#add({ ...asked, id, input, fingerprint, createdAtMs })
    if (added.isNew) return added
    await this.#removeBlobs(id)
    requireSame(added.job, fingerprint)
    return added
  }

  /**
   * The job of an earlier order under this key, for whoever cannot bring its recording a second time.
   *
   * @throws Failure idempotency_key_reused when `identity` is not that of its recording.
   */
  async handedInBefore({ recording, ...asked }: Draft): Promise<Job | undefined> {
    const { owner, idempotencyKey } = asked
    if (idempotencyKey === undefined) return undefined
    const job = await this.#parts.queue.findByKey(owner, idempotencyKey)
    if (job !== undefined) requireSame(job, fingerprintOf(recording, asked))
    return job
  }

  /** @throws Error unless the job is completed; Failure job_not_found when it has been removed meanwhile. */
  async transcriptOf({ order, resultKey }: Job): Promise<Transcript> {
    if (resultKey === undefined) throw new Error(`job ${order.id} has no result`)
    try {
      return await readTranscript(this.#parts.blobs, resultKey)
    } catch (error) {
      const isForgotten =
        error instanceof BlobMissing && (await this.#parts.queue.find(order.id)) === undefined
      throw isForgotten ? jobNotFound(order.id) : error
    }
  }

  /** What the steps after its transcript have made. Undefined: none was asked for, or it has not come to them. */
  async afterwardsOf({ order, state }: Job): Promise<Afterwards | undefined> {
    // What an attempt that was not the last has left is nobody's result.
    if (state !== 'completed' || order.afterwards.length === 0) return undefined
    return readAfterwards(this.#parts.blobs, order.id)
  }

  /** The end of what has been heard of a job until now. */
  async textSoFar(id: string): Promise<string> {
    const windows = standingWindows(await this.#parts.queue.lastWindows(id, WINDOWS_SHOWN))
    return joinText(windows.flatMap(({ segments }) => segments))
  }

  /** What became of telling its client that the job has ended. Undefined: nobody is to be told. */
  async deliveryOf({ order }: Job): Promise<Delivery | undefined> {
    return order.callbackUrl === undefined ? undefined : deliveryOf(this.#parts, order.id)
  }

  /** Undefined: it has neither failed nor been cancelled. @throws Failure recording_gone */
  async retry({ order, state }: Job): Promise<Job | undefined> {
    const { queue, blobs, nowMs } = this.#parts
    const { id, input, callbackUrl: url } = order
    if (state !== 'failed' && state !== 'cancelled') return undefined
    if (input.kind === 'blob' && (await blobs.sizeOf(input.key)) === undefined) throw recordingGone()
    if (url === undefined) return queue.retry(id)
    // Promised before, lest it is forgotten, and held back, lest the end is told that is none any more.
    const atMs = nowMs()
    await promiseDelivery(this.#parts, { job: id, url, atMs, nextAtMs: atMs + HELD_BACK_MS })
    const job = await queue.retry(id)
    await promiseDelivery(this.#parts, { job: id, url, atMs })
    return job
  }

  /**
   * What nobody shall hear any more does not lie here until the next sweep. What cannot be removed now is swept.
   * Undefined: there is no such job.
   */
  async cancel(id: string): Promise<{ readonly job: Job; readonly isCancelled: boolean } | undefined> {
    const { queue, blobs } = this.#parts
    const answer = await queue.cancel(id)
    if (answer?.isCancelled && !answer.job.order.keepsAudio) await blobs.remove(audioKey(id)).catch(() => {})
    return answer
  }

  /** Everything of the job is gone; whoever works on it is told. The record first: what nobody can find is swept. */
  async discard(id: string): Promise<void> {
    await this.#parts.queue.forget(id)
    await this.#removeBlobs(id)
  }

  async #layDown(id: string, recording: Recording): Promise<JobInput> {
    if (recording.kind !== 'file') return recording
    const { path, sizeBytes } = recording
    await this.#parts.requireRoom?.(sizeBytes)
    const key = audioKey(id)
    await this.#orNothing(id, () => this.#parts.blobs.take(key, path))
    return { kind: 'blob', key, sizeBytes }
  }

  /** Before there is a job: if it fails, nothing has been laid down. */
  async #orNothing(id: string, layDown: () => Promise<void>): Promise<void> {
    try {
      await layDown()
    } catch (error) {
      await this.#removeBlobs(id).catch(() => {}) // what cannot be written can perhaps not be removed; it is swept
      throw isDiskFull(error) ? noRoom(error) : error
    }
  }

  async #add(order: JobOrder): Promise<{ readonly job: Job; readonly isNew: boolean }> {
    const { queue } = this.#parts
    try {
      return await queue.add(JobOrder.parse(order))
    } catch (error) {
      // It may have been taken all the same, and only the word of it been lost: then its recording must stay.
      const job = await queue.find(order.id).catch(() => 'unknown' as const)
      if (job !== undefined && job !== 'unknown') return { job, isNew: true }
      if (job === undefined) await this.#removeBlobs(order.id)
      throw error
    }
  }

  async #removeBlobs(id: string): Promise<void> {
    await breakPromise(this.#parts, id)
    await this.#parts.blobs.remove(blobsOfJob(id))
  }
}

/** As much of what was asked for as an id has, and some more. */
const SHOWN_CHARACTERS = 60

export function jobNotFound(asked: string): Failure {
  const id = asked.slice(0, SHOWN_CHARACTERS).toWellFormed()
  return new Failure('job_not_found', `There is no job ${id}. It may have expired or been deleted.`)
}

function requireSame({ order }: Job, fingerprint: string): void {
  if (order.fingerprint === fingerprint) return
  throw new Failure(
    'idempotency_key_reused',
    `The Idempotency-Key is that of job ${order.id}, which was another order; use a new key for a new order.`,
    { param: 'Idempotency-Key' },
  )
}

/** Of the recording and everything asked, in whatever order it stands; how much it hurries, and what the file is called, is no other order. */
function fingerprintOf(recording: Recording, asked: Omit<Draft, 'recording'>): string {
  const { kind } = recording
  const heard = kind === 'file' ? { kind, identity: recording.identity } : recording
  const { owner: _owner, idempotencyKey: _key, fileName: _name, lane: _lane, ...rest } = asked
  const written = JSON.stringify([heard, rest], (_name, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
  return createHash('sha256').update(written).digest('hex')
}
