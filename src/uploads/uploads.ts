/**
 * Uploads that come in pieces and are used later, by their id: whose they are, how long they are kept, when they are whole.
 * How the pieces come in is decided by the two doors (tus-store.ts, parts.ts); what they are used for elsewhere.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, link, mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Failure } from '../failure.ts'
import type { DiskRoom } from '../upload/disk-room.ts'
import type { UploadedFile } from '../upload/receive.ts'
import { type KeptUpload, UploadDirectory } from './upload-directory.ts'
import { expiresAtMs, type UploadRecord } from './upload-record.ts'

const SWEEP_MS = 600_000

export interface UploadSettings {
  /** Where they lie: a directory that is nobody else's. */
  readonly directory: string
  /** So long one is kept after its last byte has come, whole or not. */
  readonly lifetimeSeconds: number
  /** Of one upload. */
  readonly maxBytes: number
  readonly disk: DiskRoom
  readonly nowMs: () => number
}

type NewUpload = Pick<
  UploadRecord,
  'kind' | 'owner' | 'sizeBytes' | 'name' | 'metadata' | 'purpose' | 'keptMs'
>

/** A file that is the taker's own: it may be moved, and is deleted with its directory when this is disposed of. */
export interface TakenUpload extends AsyncDisposable, UploadedFile {}

export class Uploads implements Disposable {
  readonly files: UploadDirectory
  readonly maxBytes: number
  readonly disk: DiskRoom
  readonly lifetimeMs: number
  readonly nowMs: () => number
  readonly #sweeping: NodeJS.Timeout

  /** Sweeps what has expired, now and then every ten minutes. */
  static async open(settings: UploadSettings): Promise<Uploads> {
    const uploads = new Uploads(settings, await UploadDirectory.open(settings.directory, settings.nowMs))
    await uploads.sweep()
    return uploads
  }

  private constructor({ lifetimeSeconds, maxBytes, disk, nowMs }: UploadSettings, files: UploadDirectory) {
    this.files = files
    this.maxBytes = maxBytes
    this.disk = disk
    this.lifetimeMs = lifetimeSeconds * 1000
    this.nowMs = nowMs
    // A sweep that fails is tried again; what it should have deleted is refused all the same.
    this.#sweeping = setInterval(() => void this.sweep().catch(() => {}), SWEEP_MS).unref()
  }

  /** @throws Failure file_too_large, insufficient_storage, before anything is kept. */
  async create(upload: NewUpload, param?: string): Promise<UploadRecord> {
    const { sizeBytes = 0 } = upload
    if (sizeBytes > this.maxBytes) throw tooLarge(this.maxBytes, param)
    using _room = await this.disk.claim(sizeBytes)
    const made = {
      id: randomUUID(),
      state: 'pending',
      createdAtMs: this.nowMs(),
      lifetimeMs: this.lifetimeMs,
    } as const
    const record = { ...upload, ...made }
    await this.files.create(record)
    return record
  }

  /** Another owner's is as good as none. @throws Failure upload_not_found */
  async require(id: string, owner: string | undefined, param?: string): Promise<KeptUpload> {
    const upload = await this.files.find(id)
    const isThere = upload !== undefined && upload.record.owner === owner && !this.#hasExpired(upload)
    if (isThere && upload.record.state !== 'cancelled') return upload
    throw notFound(param)
  }

  /**
   * The upload stays, until it expires or is deleted: a request that failed may be sent again.
   *
   * @param directory where the file shall be, in a directory of its own.
   * @throws Failure upload_not_found, upload_incomplete, empty_file; the signal's reason
   */
  async take(
    id: string,
    owner: string | undefined,
    directory: string,
    signal?: AbortSignal,
  ): Promise<TakenUpload> {
    const { record } = await this.require(id, owner, 'upload_id')
    const sizeBytes = await this.#wholeSize(record)
    const own = join(directory, randomUUID())
    const dispose = () => rm(own, { recursive: true, force: true })
    try {
      await mkdir(own, { recursive: true, mode: 0o700 })
      const path = join(own, 'upload')
      await this.#linkOrCopy(this.files.contentOf(id), path, sizeBytes)
      const sha256 = record.sha256 ?? (await hashOf(path, signal))
      if (record.sha256 === undefined) await this.#remember({ ...record, sha256 })
      return { path, name: record.name, sizeBytes, sha256, [Symbol.asyncDispose]: dispose }
    } catch (error) {
      await dispose()
      throw error
    }
  }

  expiresAtMs({ record, touchedAtMs }: KeptUpload): number {
    return expiresAtMs(record, touchedAtMs)
  }

  /** How much of it is here in one piece. */
  async receivedBytes(id: string): Promise<number> {
    return (await stat(this.files.contentOf(id))).size
  }

  async sweep(): Promise<void> {
    await this.files.sweep(this.nowMs(), (upload) => this.#hasExpired(upload))
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweeping)
  }

  #hasExpired(upload: KeptUpload): boolean {
    return this.expiresAtMs(upload) <= this.nowMs()
  }

  /** @throws Failure upload_incomplete, empty_file */
  async #wholeSize({ id, state, sizeBytes }: UploadRecord): Promise<number> {
    if (state === 'completed') {
      if (sizeBytes === 0) throw new Failure('empty_file', 'The upload is empty.', { param: 'upload_id' })
      return sizeBytes ?? 0
    }
    const there = `${await this.receivedBytes(id)} of ${sizeBytes ?? 'an unknown number of'} bytes are there`
    throw new Failure('upload_incomplete', `The upload is not complete: ${there}.`, { param: 'upload_id' })
  }

  /** A second name costs nothing, and what is read cannot vanish when the upload does. Some file systems have none. */
  async #linkOrCopy(from: string, path: string, sizeBytes: number): Promise<void> {
    try {
      await link(from, path)
    } catch (error) {
      if (!isWithoutLinks(error)) throw error
      using _room = await this.disk.claim(sizeBytes)
      await copyFile(from, path)
    }
  }

  async #remember(record: UploadRecord): Promise<void> {
    if ((await this.files.find(record.id)) !== undefined) await this.files.save(record)
  }
}

export function notFound(param?: string): Failure {
  const message = 'There is no such upload, or it has expired.'
  return new Failure('upload_not_found', message, param === undefined ? {} : { param })
}

function tooLarge(maxBytes: number, param = 'file'): Failure {
  return new Failure('file_too_large', `The upload is larger than ${maxBytes} bytes.`, { param })
}

function isWithoutLinks(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return ['EXDEV', 'EPERM', 'ENOTSUP', 'EMLINK', 'ENOSYS'].includes(code)
}

async function hashOf(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash, signal === undefined ? {} : { signal })
  return hash.digest('hex')
}
