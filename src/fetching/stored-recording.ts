/** A stream from elsewhere becomes a file: bounded, counted, hashed, or not there at all. Where the stream comes from is not known here. */
import { rm } from 'node:fs/promises'
import type { DiskRoom } from '../upload/disk-room.ts'
import { SpooledFile } from '../upload/spooled-file.ts'
import { nothingThere, recordingTooLarge } from './refusals.ts'

export interface StoringLimits {
  readonly maxBytes: number
  readonly disk: DiskRoom
}

interface Stream {
  readonly chunks: AsyncIterable<Uint8Array>
  /** As the other side says, which need not be true. */
  readonly announcedBytes: number | undefined
}

/** @param path of a file that is not there yet. @throws Failure file_too_large, empty_file, insufficient_storage; what the stream throws */
export async function storeRecording(
  { chunks, announcedBytes }: Stream,
  path: string,
  { maxBytes, disk }: StoringLimits,
): Promise<{ sizeBytes: number; sha256: string }> {
  if ((announcedBytes ?? 0) > maxBytes) throw recordingTooLarge(maxBytes)
  using claim = await disk.claim(announcedBytes)
  try {
    await using file = await SpooledFile.create(path, claim)
    for await (const chunk of chunks) {
      if (file.sizeBytes + chunk.byteLength > maxBytes) throw recordingTooLarge(maxBytes)
      await file.write(chunk)
    }
    if (file.sizeBytes === 0) throw nothingThere()
    return { sizeBytes: file.sizeBytes, sha256: file.sha256() }
  } catch (error) {
    if (!isTaken(error)) await rm(path, { force: true })
    throw error
  }
}

/** Somebody else's file. */
function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST'
}
