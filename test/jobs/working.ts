/** What a worker does to a job, step by step, when a test says so. */
import { transcriptKey } from '../../src/jobs/blob-keys.ts'
import type { FinishedWindow } from '../../src/jobs/job.ts'
import type { JobQueue, Lease } from '../../src/jobs/job-queue.ts'
import type { Transcript } from '../../src/transcript.ts'
import { segmentOf, transcriptOf } from '../formats/transcripts.ts'
import type { FakeBlobs } from './fake-blobs.ts'

export async function begin(queue: JobQueue, lane: 'interactive' | 'batch' = 'batch'): Promise<Lease> {
  return queue.claim(lane, AbortSignal.timeout(5000))
}

export function windowOf(
  number: number,
  text: string,
  changes: Partial<FinishedWindow> = {},
): FinishedWindow {
  return {
    number,
    segments: [segmentOf(text, number * 10, { id: number })],
    processedSeconds: (number + 1) * 10,
    durationSeconds: 40,
    checkpoint: null,
    ...changes,
  }
}

export const SPOKEN = transcriptOf([' Toget kører', ' klokken otte.'])

export async function complete(
  lease: Lease,
  blobs: FakeBlobs,
  transcript: Transcript = SPOKEN,
): Promise<void> {
  const key = transcriptKey(lease.job.order.id, lease.job.attempts)
  await blobs.put(key, JSON.stringify(transcript))
  await lease.complete(key)
}
