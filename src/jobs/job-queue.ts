/**
 * The port to the place where jobs are kept and handed out. Two drivers, one contract (test/jobs/queue-contract.ts): an
 * embedded SQLite file, and BullMQ on Redis for more than one machine. What a job is worked on for is not known here.
 */
import type { FinishedWindow, Job, JobFailure, JobOrder, JobState, Lane, NumberedJobEvent } from './job.ts'

export interface JobQueue extends AsyncDisposable {
  /**
   * When it resolves, the job survives whatever happens to this process or machine. An order whose owner has used its
   * idempotency key before is not taken: the earlier job is answered, whatever its state.
   */
  add(order: JobOrder): Promise<{ readonly job: Job; readonly isNew: boolean }>
  find(id: string): Promise<Job | undefined>
  /** What this owner has handed in under this idempotency key. */
  findByKey(owner: string | undefined, key: string): Promise<Job | undefined>
  /** Newest first. `before` is the id of the last one that the reader has seen. */
  list(filter: JobFilter): Promise<readonly Job[]>
  /** How many pending jobs of its lane were handed in before it; undefined unless it is pending. */
  placeInLine(id: string): Promise<number | undefined>
  counts(): Promise<JobCounts>
  /**
   * Waits for a job of this lane and hands it out: to nobody else, as long as the lease is kept. The job is `processing`.
   *
   * @throws the signal's reason
   */
  claim(lane: Lane, signal: AbortSignal): Promise<Lease>
  /**
   * A pending job is cancelled at once; so is one that is worked on, and its worker's `lost` aborts. Answers the job as
   * it is then: one that had ended before stays what it was. Undefined: there is none.
   */
  cancel(id: string): Promise<{ readonly job: Job; readonly isCancelled: boolean } | undefined>
  /** A failed or cancelled job becomes pending again, and goes on after its last window. Undefined: there is none, or it is neither. */
  retry(id: string): Promise<Job | undefined>
  /** Nothing of it is left, its events included; a worker's lease is lost. Its blobs are the caller's business. */
  forget(id: string): Promise<void>
  /** Jobs that ended before that time, oldest first. */
  endedBefore(atMs: number, limit: number): Promise<readonly Job[]>
  /**
   * What has happened to the job after the event of that number (0: from the beginning), then what happens, until it has
   * ended or is forgotten. A job that is tried again begins to happen again after its end.
   *
   * @throws the signal's reason
   */
  events(id: string, after: number, signal: AbortSignal): AsyncIterable<NumberedJobEvent>
  /** All windows finished so far, in order: what a worker goes on from. */
  windows(id: string): Promise<readonly FinishedWindow[]>
  /** The end of them, in order: at most so many, of ten hours as quick as of a minute. */
  lastWindows(id: string, most: number): Promise<readonly FinishedWindow[]>
  /** Whether the place where jobs are kept answers. Never throws. */
  isReachable(): Promise<boolean>
}

export interface JobFilter {
  /** Absent: everybody's. */
  readonly owner?: string
  readonly states?: readonly JobState[]
  readonly before?: string
  readonly limit: number
}

export type JobCounts = Readonly<Record<Lane, Readonly<Record<JobState, number>>>>

/**
 * A job in one worker's hands. Every verb but `release` says whether the lease was still held: a worker that was taken for
 * dead, or whose job was cancelled, is told so and stops; what it says is not written down.
 */
export interface Lease extends AsyncDisposable {
  readonly job: Job
  /** Aborts when the job was cancelled or forgotten, or when the lease could not be kept. */
  readonly lost: AbortSignal
  /** The recording's length has become known. */
  lengthIs(durationSeconds: number): Promise<boolean>
  /** Durable when it resolves. */
  finishedWindow(window: FinishedWindow): Promise<boolean>
  complete(resultKey: string): Promise<boolean>
  fail(failure: JobFailure): Promise<boolean>
  /** The job is pending again, before all others of its lane, and this attempt does not count. Disposing does it too, if nothing else was said. */
  release(): Promise<void>
}
