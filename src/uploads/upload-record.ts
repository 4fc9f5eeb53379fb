/** What is known of an upload that comes in pieces, as it lies beside them on the disk. */
import { z } from 'zod'

/** Written by one version of this program and read by another, so it is parsed. */
export const UploadRecord = z.object({
  id: z.uuid(),
  /** Whose it is. Absent where nobody needed a key. */
  owner: z.string().exactOptional(),
  /** How its pieces come: one after another at an offset, or in parts that are put together at the end. */
  kind: z.enum(['tus', 'parts']),
  state: z.enum(['pending', 'completed', 'cancelled']),
  /** Absent: the client does not know yet. */
  sizeBytes: z.int().exactOptional(),
  /** What the client calls the file. */
  name: z.string().exactOptional(),
  /** The client's own words, told back to it. */
  metadata: z.record(z.string(), z.string().nullable()).exactOptional(),
  purpose: z.string().exactOptional(),
  createdAtMs: z.int(),
  /** So long it is kept after its last byte has come. */
  lifetimeMs: z.int(),
  /** So long after it was completed, where that is less. */
  keptMs: z.int().exactOptional(),
  completedAtMs: z.int().exactOptional(),
  sha256: z.string().exactOptional(),
})
export type UploadRecord = z.output<typeof UploadRecord>

/** @param touchedAtMs when the last of it came. */
export function expiresAtMs(
  { lifetimeMs, keptMs, completedAtMs }: UploadRecord,
  touchedAtMs: number,
): number {
  return completedAtMs === undefined ? touchedAtMs + lifetimeMs : completedAtMs + (keptMs ?? lifetimeMs)
}
