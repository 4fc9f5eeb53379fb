/** A result as it lies in a blob: written by the worker, read by whoever is asked for it, perhaps by a later version of this program. */
import { z } from 'zod'
import type { DetectedLanguage, Transcript } from '../transcript.ts'
import type { Blobs } from './blobs.ts'
import { StoredSegment } from './stored-segment.ts'

const Judged = z.object({
  reason: z.string(),
  startSeconds: z.number(),
  endSeconds: z.number(),
  text: z.string(),
})

const StoredTranscript = z.object({
  task: z.enum(['transcribe', 'translate']),
  text: z.string(),
  language: z.string().exactOptional(),
  languageProbability: z.number().exactOptional(),
  durationSeconds: z.number(),
  promptTokens: z.number(),
  segments: z.array(StoredSegment),
  dropped: z.array(Judged),
  warnings: z.array(Judged),
}) satisfies z.ZodType<Transcript>

const StoredLanguage = z.object({
  language: z.string(),
  probability: z.number(),
  languages: z.array(z.object({ language: z.string(), probability: z.number() })),
  durationSeconds: z.number().exactOptional(),
}) satisfies z.ZodType<DetectedLanguage>

/** @throws BlobMissing; Error when it is damaged, or not what we write */
export async function readTranscript(
  blobs: Pick<Blobs, 'read'>,
  key: string,
  signal?: AbortSignal,
): Promise<Transcript> {
  return StoredTranscript.parse(await readJson(blobs, key, signal))
}

/** @throws as `readTranscript` */
export async function readLanguage(
  blobs: Pick<Blobs, 'read'>,
  key: string,
  signal?: AbortSignal,
): Promise<DetectedLanguage> {
  return StoredLanguage.parse(await readJson(blobs, key, signal))
}

async function readJson(blobs: Pick<Blobs, 'read'>, key: string, signal?: AbortSignal): Promise<unknown> {
  return JSON.parse(Buffer.concat(await Array.fromAsync(blobs.read(key, signal))).toString('utf8'))
}
