/** The bytes of tus uploads: where a piece is written, and how far one has come. The protocol itself is @tus/server's. */
import { open, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { DataStore, ERRORS, Upload } from '@tus/server'
import type { Uploads } from './uploads.ts'

/** A piece may take longer than an upload is kept that nothing comes of. */
const TOUCH_MS = 60_000

export class TusStore extends DataStore {
  readonly #uploads: Uploads

  constructor(uploads: Uploads) {
    super()
    this.#uploads = uploads
    this.extensions = [
      'creation',
      'creation-with-upload',
      'creation-defer-length',
      'termination',
      'expiration',
    ]
  }

  /** Its record has been made by whoever knows the owner (tus-server.ts). */
  override async create(upload: Upload): Promise<Upload> {
    await this.#complete(upload.id)
    return upload
  }

  override async getUpload(id: string): Promise<Upload> {
    const { record, touchedAtMs } = await this.#find(id)
    return new Upload({
      id,
      offset: await this.#uploads.receivedBytes(id),
      // The protocol's server reckons expiry from here: for us it begins with the last byte.
      creation_date: new Date(touchedAtMs).toISOString(),
      ...(record.sizeBytes !== undefined && { size: record.sizeBytes }),
      ...(record.metadata !== undefined && { metadata: record.metadata }),
    })
  }

  /**
   * What has come is kept however the piece ends: that is the point of it. When the answer says how much there is, it is on
   * the disk.
   */
  override async write(bytes: Readable, id: string, offset: number): Promise<number> {
    const { record } = await this.#find(id)
    const { disk, files, nowMs } = this.#uploads
    using claim = await disk.claim(record.sizeBytes === undefined ? undefined : record.sizeBytes - offset)
    const file = await open(files.contentOf(id), 'r+')
    let end = offset
    let touchedMs = nowMs()
    try {
      for await (const chunk of bytes as AsyncIterable<Uint8Array>) {
        await claim.take(chunk.byteLength)
        await writeAll(chunk, (rest, at) => file.write(rest, 0, rest.byteLength, end + at))
        end += chunk.byteLength
        if (nowMs() - touchedMs < TOUCH_MS) continue
        await files.touch(id)
        touchedMs = nowMs()
      }
    } finally {
      await file.sync()
      await file.close()
      await files.touch(id)
    }
    await this.#complete(id)
    return end
  }

  override async declareUploadLength(id: string, sizeBytes: number): Promise<void> {
    const { record } = await this.#find(id)
    await this.#uploads.files.save({ ...record, sizeBytes })
  }

  override async remove(id: string): Promise<void> {
    await this.#uploads.files.remove(id)
  }

  override async deleteExpired(): Promise<number> {
    throw new Error('uploads sweep themselves')
  }

  override getExpiration(): number {
    return this.#uploads.lifetimeMs
  }

  async #complete(id: string): Promise<void> {
    const { record } = await this.#find(id)
    const { size } = await stat(this.#uploads.files.contentOf(id))
    if (record.state !== 'pending' || size !== record.sizeBytes) return
    await this.#uploads.files.save({ ...record, state: 'completed', completedAtMs: this.#uploads.nowMs() })
  }

  async #find(id: string) {
    const upload = await this.#uploads.files.find(id)
    // The protocol's own word, for its own server.
    if (upload === undefined) throw Object.assign(new Error('there is no such upload'), ERRORS.FILE_NOT_FOUND)
    return upload
  }
}

/** A write may take less than it was given. */
async function writeAll(
  bytes: Uint8Array,
  write: (rest: Uint8Array, at: number) => Promise<{ bytesWritten: number }>,
): Promise<void> {
  for (let at = 0; at < bytes.byteLength; ) at += (await write(bytes.subarray(at), at)).bytesWritten
}
