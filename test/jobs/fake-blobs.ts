/** The port to blobs, in memory, for tests of what stands above it. */
import { readFile, rm } from 'node:fs/promises'
import { BlobMissing, type Blobs } from '../../src/jobs/blobs.ts'

export class FakeBlobs implements Blobs {
  readonly kept = new Map<string, Buffer>()
  /** Thrown by whatever writes. */
  full: Error | undefined
  beforeReading = async () => {}

  async put(key: string, content: Uint8Array | string) {
    if (this.full) throw this.full
    this.kept.set(key, Buffer.from(content))
  }

  async take(key: string, path: string) {
    await this.put(key, await readFile(path))
    await rm(path)
  }

  async sizeOf(key: string) {
    return this.kept.get(key)?.length
  }

  async *read(key: string) {
    await this.beforeReading()
    const bytes = this.kept.get(key)
    if (!bytes) throw new BlobMissing(key)
    for (let start = 0; start < bytes.length; start += 7) yield bytes.subarray(start, start + 7)
  }

  asFile(): never {
    throw new Error('nobody above the worker needs a file')
  }

  async *list(beginning: string) {
    for (const [key, bytes] of this.kept)
      if (key.startsWith(beginning)) yield { key, sizeBytes: bytes.length, storedAtMs: 0 }
  }

  async remove(beginning: string) {
    for (const key of this.kept.keys()) if (key.startsWith(beginning)) this.kept.delete(key)
  }
}
