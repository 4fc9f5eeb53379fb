/** The file of an upload while it is written: counted and hashed on its way to the disk. It does not know what kind of body it came in. */
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import type { Claim } from './disk-room.ts'

export class SpooledFile implements AsyncDisposable {
  readonly path: string
  readonly #handle: FileHandle
  readonly #claim: Claim
  readonly #hash = createHash('sha256')
  #sizeBytes = 0

  /** Opened before the first byte comes: an open that is still on its way would outlive the removal of its directory. */
  static async create(path: string, claim: Claim): Promise<SpooledFile> {
    return new SpooledFile(path, await open(path, 'wx', 0o600), claim)
  }

  private constructor(path: string, handle: FileHandle, claim: Claim) {
    this.path = path
    this.#handle = handle
    this.#claim = claim
  }

  /** @throws Failure insufficient_storage when no more is promised; what the disk says when it is full all the same. */
  async write(bytes: Uint8Array): Promise<void> {
    await this.#claim.take(bytes.byteLength)
    const written = this.#handle.appendFile(bytes)
    this.#hash.update(bytes) // while a thread of the pool writes them
    this.#sizeBytes += bytes.byteLength
    await written
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Once, when all has been written. */
  sha256(): string {
    return this.#hash.digest('hex')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}
