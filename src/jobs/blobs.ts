/**
 * The port to the place where recordings and results lie: a directory, or any store that speaks S3. It does not know what
 * the bytes are. Keys are ours, never a client's words: lower-case letters, digits, `-`, `.` and `/`.
 */

export interface Blobs {
  /** Whole and durable when it resolves; until then, and if it throws, the key holds what it held before. */
  put(key: string, content: Uint8Array | string, signal?: AbortSignal): Promise<void>
  /** The same with a file of this machine, which is gone or the caller's own afterwards: moved where that costs nothing. */
  take(key: string, path: string, signal?: AbortSignal): Promise<void>
  /** Undefined: there is none. */
  sizeOf(key: string): Promise<number | undefined>
  /** @throws BlobMissing through the iterator */
  read(key: string, signal?: AbortSignal): AsyncIterable<Uint8Array>
  /**
   * A file of this machine with these bytes, not to be changed: the blob itself, or a copy below `directory` that is
   * deleted when it is disposed of.
   *
   * @throws BlobMissing
   */
  asFile(key: string, directory: string, signal?: AbortSignal): Promise<BlobFile>
  /** Everything whose key begins so. */
  list(beginning: string): AsyncIterable<StoredBlob>
  /** Everything whose key begins so; nothing there is no mistake. */
  remove(beginning: string): Promise<void>
}

export interface BlobFile extends AsyncDisposable {
  readonly path: string
}

interface StoredBlob {
  readonly key: string
  readonly sizeBytes: number
  readonly storedAtMs: number
}

export class BlobMissing extends Error {
  constructor(key: string) {
    super(`there is no blob ${key}`)
    this.name = 'BlobMissing'
  }
}
