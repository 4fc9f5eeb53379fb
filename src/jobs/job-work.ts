/**
 * One job, from the moment a worker holds it until it has said what became of it: its recording is found, walks the
 * road from its last finished window on, and its transcript is laid down. Whose turn it is, is not known here.
 */
import { Failure } from '../failure.ts'
import type { Log } from '../log.ts'
import { isDiskFull, noRoom } from '../upload/disk-room.ts'
import type { AudioSource, Transcriber } from '../transcriber.ts'
import type { DetectedLanguage, Transcript, TranscriptEvent, WindowCheckpoint } from '../transcript.ts'
import { blobsOfJob, transcriptKey } from './blob-keys.ts'
import { type BlobFile, BlobMissing, type Blobs } from './blobs.ts'
import { type FinishedWindow, type JobInput, type JobOrder, jobFailureOf } from './job.ts'
import type { JobQueue, Lease } from './job-queue.ts'
import { recordingGone } from './recording-gone.ts'

export interface WorkParts {
  readonly queue: Pick<JobQueue, 'windows' | 'find'>
  readonly blobs: Blobs
  readonly transcriber: Transcriber
  /** Where a job's recording lies while it is worked on, when it is not on this machine already. */
  readonly directory: string
  /** Fetches what is no blob. @throws Failure */
  readonly fetchInput: (
    input: Exclude<JobInput, { kind: 'blob' }>,
    directory: string,
    signal: AbortSignal,
  ) => Promise<BlobFile>
  /** What checkpoints that were stored are worth (engine/checkpoints.ts). */
  readonly joinCheckpoints: (stored: readonly unknown[]) => WindowCheckpoint | undefined
  /** What comes between the transcript and the end: it may take a while, and what it throws ends the job. */
  readonly beforeEnd?: (job: Lease['job'], transcript: Transcript, signal: AbortSignal) => Promise<void>
  /** Told when it has been written down how a job ended. */
  readonly onWritten?: ((outcome: 'completed' | 'failed') => void) | undefined
  readonly log: Log
}

/** `later`: not its fault, and not its end; there is no use in beginning another at once. */
export type WorkOutcome = 'ended' | 'parked' | { readonly laterSeconds: number }

/** Failures that pass by themselves: the job stays where it is. */
const PASSING: ReadonlySet<string> = new Set([
  'queue_full',
  'engine_loading',
  'engine_resting',
  'insufficient_storage',
])
const USUAL_PAUSE_SECONDS = 5

/** How a worker is stopped in order, and how it is when there is no time for that. */
export interface Stopping {
  /** Jobs are put back at the edge of their next window. */
  readonly park: AbortSignal
  /** Jobs are put back where they are. */
  readonly cut: AbortSignal
}

/** Throws only when the lease cannot be written. */
export async function workOn(parts: WorkParts, lease: Lease, { park, cut }: Stopping): Promise<WorkOutcome> {
  const { order, attempts } = lease.job
  const signal = AbortSignal.any([lease.lost, cut])
  const log = { job: order.id, attempt: attempts }
  try {
    const key = transcriptKey(order.id, attempts)
    await parts.blobs.put(key, JSON.stringify(await resultOf(parts, lease, park, signal)), signal)
    const isWritten = await lease.complete(key)
    if (isWritten) parts.onWritten?.('completed')
    parts.log.info(isWritten ? 'job completed' : 'a job was done that is no longer ours', log)
    await (isWritten ? removeRecording(parts, order) : removeIfForgotten(parts, order))
    return 'ended'
  } catch (error) {
    if (lease.lost.aborted) {
      await removeIfForgotten(parts, order)
      return 'ended' // cancelled, forgotten, or somebody else's: nobody asks us any more
    }
    if (park.aborted || cut.aborted) {
      await lease.release()
      return 'parked'
    }
    return endWith(parts, lease, toldOf(error), error)
  }
}

/** What it was handed in for has been done. If it cannot be removed now, it is swept. */
async function removeRecording(
  { blobs, log }: WorkParts,
  { id, input, keepsAudio }: JobOrder,
): Promise<void> {
  if (keepsAudio || input.kind !== 'blob') return
  await blobs
    .remove(input.key)
    .catch((error: unknown) =>
      log.warn('a recording that is not needed any more is still there', { job: id, error }),
    )
}

/**
 * Of a job that was deleted while it was worked on, what was laid down since. Only if it is certain: that a lease is lost
 * may also mean that nobody could be asked.
 */
async function removeIfForgotten({ queue, blobs, log }: WorkParts, { id }: JobOrder): Promise<void> {
  try {
    if ((await queue.find(id)) === undefined) await blobs.remove(blobsOfJob(id))
  } catch (error) {
    log.warn('what is left of a job that was deleted is swept later', { job: id, error })
  }
}

async function endWith(
  { log, onWritten }: WorkParts,
  lease: Lease,
  failure: Failure,
  error: unknown,
): Promise<WorkOutcome> {
  const { id } = lease.job.order
  if (PASSING.has(failure.code)) {
    await lease.release()
    return { laterSeconds: failure.retryAfterSeconds ?? USUAL_PAUSE_SECONDS }
  }
  const isOurs = failure.status >= 500
  log[isOurs ? 'error' : 'info']('job failed', { job: id, code: failure.code, ...(isOurs && { error }) })
  if (await lease.fail(jobFailureOf(failure))) onWritten?.('failed')
  return 'ended'
}

function toldOf(error: unknown): Failure {
  if (error instanceof Failure) return error
  if (error instanceof BlobMissing) return recordingGone()
  if (isDiskFull(error)) return noRoom(error) // it passes: what was heard is not thrown away for want of room
  return new Failure('internal_error', 'The server made a mistake while it worked on this job.', {
    cause: error,
  })
}

async function resultOf(
  parts: WorkParts,
  lease: Lease,
  park: AbortSignal,
  signal: AbortSignal,
): Promise<Transcript | DetectedLanguage> {
  const { order } = lease.job
  await using recording = await recordingOf(parts, order.input, signal)
  const source = sourceOf(order, recording.path)
  if (order.onlyDetectsLanguage) return await parts.transcriber.detectLanguage(source, signal)
  const windows = await parts.queue.windows(order.id)
  const resumeFrom = parts.joinCheckpoints(windows.map(checkpointOf))
  const transcript = await transcriptOf(parts, lease, { ...source, resumeFrom, park }, signal)
  await parts.beforeEnd?.(lease.job, transcript, signal)
  return transcript
}

function sourceOf({ owner, lane }: JobOrder, path: string): AudioSource {
  return {
    path,
    ...(owner !== undefined && { owner, account: owner }),
    tier: lane === 'interactive' ? 'realtime' : 'deferred',
    wantsCheckpoints: true,
  }
}

async function transcriptOf(
  { transcriber }: WorkParts,
  lease: Lease,
  source: AudioSource,
  signal: AbortSignal,
): Promise<Transcript> {
  const progress = new Progress(lease)
  for await (const event of transcriber.transcribe(source, lease.job.order.options, signal)) {
    if (event.kind === 'done') return event.transcript
    await progress.hear(event)
  }
  throw new Error('the transcript events ended without `done`')
}

function recordingOf(parts: WorkParts, input: JobInput, signal: AbortSignal): Promise<BlobFile> {
  return input.kind === 'blob'
    ? parts.blobs.asFile(input.key, parts.directory, signal)
    : parts.fetchInput(input, parts.directory, signal)
}

/** A window's segments are kept once, beside the rest of its checkpoint. */
function checkpointOf({ segments, checkpoint }: FinishedWindow): object {
  return { ...Object(checkpoint), segments }
}

/** Writes down what has been heard, window by window. @throws the lease's reason when it is no longer ours */
class Progress {
  readonly #lease: Lease
  #durationSeconds: number

  constructor(lease: Lease) {
    this.#lease = lease
    this.#durationSeconds = lease.job.durationSeconds ?? 0
  }

  async hear(event: TranscriptEvent): Promise<void> {
    switch (event.kind) {
      case 'decoded':
        this.#durationSeconds = event.durationSeconds
        return this.#require(await this.#lease.lengthIs(event.durationSeconds))
      case 'checkpoint':
        return this.#require(await this.#lease.finishedWindow(this.#windowOf(event.checkpoint)))
      case 'progress':
        this.#durationSeconds = Math.max(this.#durationSeconds, event.durationSeconds)
        return
      case 'delta':
      case 'segments':
      case 'done':
        return
      default:
        event satisfies never
    }
  }

  #windowOf({ segments, ...checkpoint }: WindowCheckpoint): FinishedWindow {
    const processedSeconds = checkpoint.endSeconds
    const durationSeconds = Math.max(this.#durationSeconds, processedSeconds)
    return { segments, number: checkpoint.firstWindow, processedSeconds, durationSeconds, checkpoint }
  }

  /** The lease says by its signal, too, that it is lost; but the road may not have looked yet. */
  #require(isOurs: boolean): void {
    if (isOurs) return
    this.#lease.lost.throwIfAborted()
    throw new Error('the lease was lost without a word')
  }
}
