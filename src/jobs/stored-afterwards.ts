/** What the steps after a transcript have made, as it lies in a blob: written by the worker, perhaps of another version than its reader's. */
import { z } from 'zod'
import type { Afterwards } from '../afterwards/afterwards.ts'
import { afterwardsKey } from './blob-keys.ts'
import { BlobMissing, type Blobs } from './blobs.ts'

const StoredAfterwards = z.object({
  text: z.string(),
  title: z.string().exactOptional(),
  summary: z.string().exactOptional(),
  model: z.string().exactOptional(),
  steps: z.array(
    z.object({
      step: z.string(),
      state: z.enum(['done', 'failed']),
      message: z.string().exactOptional(),
      pieces: z.int().exactOptional(),
      refusedPieces: z.int().exactOptional(),
    }),
  ),
}) satisfies z.ZodType<Afterwards>

/** Undefined: nothing has been made. @throws Error when it is damaged, or not what we write */
export async function readAfterwards(
  blobs: Pick<Blobs, 'read'>,
  id: string,
): Promise<Afterwards | undefined> {
  try {
    const bytes = Buffer.concat(await Array.fromAsync(blobs.read(afterwardsKey(id))))
    return StoredAfterwards.parse(JSON.parse(bytes.toString('utf8')))
  } catch (error) {
    if (error instanceof BlobMissing) return undefined
    throw error
  }
}
