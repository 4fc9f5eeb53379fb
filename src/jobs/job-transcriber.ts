/**
 * The road, walked by somebody else: what comes becomes a job, and what a worker makes of it is told as it happens. For a
 * server that has no engine of its own.
 */
import { randomUUID } from 'node:crypto'
import { Failure, FAILURES, type FailureCode } from '../failure.ts'
import type { AudioSource, TranscribeOptions, Transcriber } from '../transcriber.ts'
import type { TranscriptEvent } from '../transcript.ts'
import { audioKey, blobsOfJob } from './blob-keys.ts'
import type { Blobs } from './blobs.ts'
import type { FinishedWindow, Job, JobFailure, JobOrder } from './job.ts'
import type { JobQueue } from './job-queue.ts'
import { readLanguage, readTranscript } from './stored-transcript.ts'

export interface JobTranscriberParts {
  readonly queue: Pick<JobQueue, 'add' | 'find' | 'events' | 'cancel' | 'forget'>
  readonly blobs: Pick<Blobs, 'take' | 'sizeOf' | 'read' | 'remove'>
  readonly nowMs: () => number
}

export function createJobTranscriber(parts: JobTranscriberParts): Transcriber {
  return {
    transcribe: (source, options, signal) => transcribe(parts, source, options, signal),
    detectLanguage: async (source, signal) => {
      await using job = await handIn(parts, source, ONLY_THE_LANGUAGE, signal)
      for await (const _window of windowsOf(parts, job.id, signal));
      return readLanguage(parts.blobs, await resultOf(parts, job.id), signal)
    },
  }
}

const ONLY_THE_LANGUAGE: Pick<JobOrder, 'options' | 'onlyDetectsLanguage'> = {
  options: {
    task: 'transcribe',
    temperature: 0,
    wantsWords: false,
    wantsLogprobs: false,
    wantsDeltas: false,
    wantsGuards: true,
  },
  onlyDetectsLanguage: true,
}

async function* transcribe(
  parts: JobTranscriberParts,
  source: AudioSource,
  options: TranscribeOptions,
  signal: AbortSignal,
): AsyncGenerator<TranscriptEvent, void, undefined> {
  await using job = await handIn(parts, source, { options: { ...options, wantsDeltas: false } }, signal)
  for await (const { segments, processedSeconds, durationSeconds } of windowsOf(parts, job.id, signal)) {
    // A worker tells whole windows: its tokens stay with it.
    if (options.wantsDeltas) for (const { text } of segments) yield { kind: 'delta', text }
    yield { kind: 'segments', segments }
    yield { kind: 'progress', processedSeconds, durationSeconds }
  }
  const transcript = await readTranscript(parts.blobs, await resultOf(parts, job.id), signal)
  yield { kind: 'decoded', durationSeconds: transcript.durationSeconds }
  yield { kind: 'done', transcript }
}

/** However the wait for it ends, nothing is left of the job: somebody else's answer is all that it was for. */
async function handIn(
  { queue, blobs, nowMs }: JobTranscriberParts,
  source: AudioSource,
  wanted: Pick<JobOrder, 'options' | 'onlyDetectsLanguage'>,
  signal: AbortSignal,
): Promise<AsyncDisposable & { readonly id: string }> {
  const id = randomUUID()
  // What is left because the queue or the blobs are away, expires: the answer is not spoilt by it.
  const remove = async () => {
    await queue.forget(id).catch(() => undefined)
    await blobs.remove(blobsOfJob(id)).catch(() => undefined)
  }
  await using undo = new AsyncDisposableStack()
  undo.defer(remove)
  await blobs.take(audioKey(id), source.path, signal)
  await queue.add({
    id,
    ...(source.owner !== undefined && { owner: source.owner }),
    lane: source.tier === 'deferred' ? 'batch' : 'interactive',
    input: { kind: 'blob', key: audioKey(id), sizeBytes: (await blobs.sizeOf(audioKey(id))) ?? 0 },
    ...wanted,
    format: 'json',
    rendering: { hasWords: false, isForVexa: false, hasLogprobs: false, listsLanguages: false },
    metadata: {},
    keepsAudio: false,
    afterwards: [],
    createdAtMs: nowMs(),
  })
  const held = undo.move()
  return { id, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

/**
 * Until the job has ended. Its text has been told to somebody: a worker that begins again, with another model perhaps,
 * cannot take it back.
 */
async function* windowsOf(
  { queue }: JobTranscriberParts,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<FinishedWindow, void, undefined> {
  let last = -1
  for await (const { event } of queue.events(id, 0, signal)) {
    if (event.kind === 'state') {
      if (event.state === 'failed') throw failureOf(event.failure)
      if (event.state === 'cancelled') throw cancelled()
      continue
    }
    if (event.window.number <= last) throw new Failure('engine_failed', BEGUN_AGAIN)
    last = event.window.number
    yield event.window
  }
}

const BEGUN_AGAIN =
  'The recording had to be begun again when a part of its text had been told. Please try again.'

async function resultOf({ queue }: JobTranscriberParts, id: string): Promise<string> {
  const job: Job | undefined = await queue.find(id)
  if (job?.resultKey === undefined) throw cancelled()
  return job.resultKey
}

function cancelled(): Failure {
  return new Failure('job_cancelled', 'The work on this recording was cancelled by the operator.')
}

/** A worker of another version may know failures that we do not. */
function failureOf(told: JobFailure | undefined): Failure {
  if (told === undefined || !isKnown(told.code)) {
    return new Failure('internal_error', told?.message ?? 'The job failed.')
  }
  return new Failure(told.code, told.message, told.param === null ? {} : { param: told.param })
}

function isKnown(code: string): code is FailureCode {
  return Object.hasOwn(FAILURES, code)
}
