/**
 * Uploads whose parts come in any order and are put together at the end, as OpenAI has them. How they are asked for and
 * answered is decided by the routes.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { Failure } from '../failure.ts'
import type { UploadRecord } from './upload-record.ts'
import { notFound, type Uploads } from './uploads.ts'

/** A part that is sent again, because its answer was lost, lies beside the first one: so often all of them may. */
const TIMES_OVER = 2

export interface Completion {
  readonly partIds: readonly string[]
  /** Of the whole file, if the client wants to be sure. */
  readonly md5?: string | undefined
}

export class PartUploads {
  readonly #uploads: Uploads
  /** Ending an upload in two ways at once would leave it in both. */
  readonly #ending = new Map<string, Promise<unknown>>()

  constructor(uploads: Uploads) {
    this.#uploads = uploads
  }

  /**
   * @param path of a file that is the part's from then on.
   * @returns its id.
   * @throws Failure invalid_value, file_too_large
   */
  async addPart(record: UploadRecord, path: string): Promise<string> {
    requirePending(record)
    const id = randomUUID()
    const { files } = this.#uploads
    try {
      await this.#requireRoom(record, path)
      await rename(path, join(files.partsOf(record.id), id))
      await files.touch(record.id)
      return id
    } catch (error) {
      // It may have ended, or expired, while the part came.
      const upload = await files.find(record.id)
      throw upload?.record.state === 'pending' ? error : notFound('upload_id')
    }
  }

  /** Once it is whole, it may be asked for again. @throws Failure invalid_value, upload_incomplete, insufficient_storage */
  async complete(id: string, completion: Completion): Promise<UploadRecord> {
    return this.#inTurn(id, async () => {
      const record = await this.#current(id)
      if (record.state === 'completed') return record
      if (record.state === 'cancelled') throw notFound('upload_id')
      const parts = await this.#partsNamed(record, completion.partIds)
      using claim = await this.#uploads.disk.claim(record.sizeBytes)
      const { files } = this.#uploads
      const written = `${files.contentOf(id)}.${randomUUID()}`
      try {
        const { sha256, md5 } = await concatenate(parts, written, (bytes) => claim.take(bytes))
        if (completion.md5 !== undefined && completion.md5.toLowerCase() !== md5) throw otherMd5(md5)
        await rename(written, files.contentOf(id))
        const completed = {
          ...record,
          state: 'completed',
          completedAtMs: this.#uploads.nowMs(),
          sha256,
        } as const
        await files.save(completed)
        await rm(files.partsOf(id), { recursive: true, force: true })
        return completed
      } finally {
        await rm(written, { force: true })
      }
    })
  }

  /** @throws Failure invalid_value when it is whole already. */
  async cancel(id: string): Promise<UploadRecord> {
    return this.#inTurn(id, async () => {
      const record = await this.#current(id)
      requirePending(record)
      const cancelled = { ...record, state: 'cancelled' } as const
      await this.#uploads.files.save(cancelled)
      await rm(this.#uploads.files.partsOf(id), { recursive: true, force: true })
      return cancelled
    })
  }

  async #inTurn<Value>(id: string, end: () => Promise<Value>): Promise<Value> {
    const before = this.#ending.get(id)
    const turn = (async () => {
      await before?.catch(() => {})
      return end()
    })()
    this.#ending.set(id, turn)
    try {
      return await turn
    } finally {
      if (this.#ending.get(id) === turn) this.#ending.delete(id)
    }
  }

  async #current(id: string): Promise<UploadRecord> {
    const upload = await this.#uploads.files.find(id)
    if (upload === undefined) throw notFound('upload_id')
    return upload.record
  }

  /** @returns their paths. */
  async #partsNamed(record: UploadRecord, ids: readonly string[]): Promise<string[]> {
    if (new Set(ids).size < ids.length) throw invalidParts('names a part more than once')
    const directory = this.#uploads.files.partsOf(record.id)
    const paths = ids.map((id) => {
      if (!z.uuid().safeParse(id).success)
        throw invalidParts(`names ${JSON.stringify(id.slice(0, 60))}, which is no part`)
      return join(directory, id)
    })
    const sizes = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)))
    const unknown = sizes.indexOf(undefined)
    if (unknown !== -1) throw invalidParts(`names ${ids[unknown]}, which is no part of this upload`)
    const sum = sizes.reduce((bytes, part) => bytes + (part?.size ?? 0), 0)
    if (sum === record.sizeBytes) return paths
    const message = `The upload is not complete: the parts hold ${sum} bytes, and ${record.sizeBytes} were announced.`
    throw new Failure('upload_incomplete', message, { param: 'part_ids' })
  }

  /** @throws Failure file_too_large */
  async #requireRoom({ id, sizeBytes = 0 }: UploadRecord, path: string): Promise<void> {
    const directory = this.#uploads.files.partsOf(id)
    const paths = (await readdir(directory)).map((name) => join(directory, name))
    const sizes = await Promise.all([path, ...paths].map(sizeOf))
    if (sizes.reduce((sum, size) => sum + size, 0) <= TIMES_OVER * sizeBytes) return
    const message = `The parts hold more than twice the ${sizeBytes} bytes that were announced.`
    throw new Failure('file_too_large', message, { param: 'data' })
  }
}

function requirePending({ state }: UploadRecord): void {
  if (state === 'pending') return
  const message = `The upload is ${state}; only a pending one can be changed.`
  throw new Failure('invalid_value', message, { param: 'upload_id' })
}

async function concatenate(
  paths: readonly string[],
  target: string,
  beforeWriting: (bytes: number) => Promise<void>,
): Promise<{ sha256: string; md5: string }> {
  const [sha256, md5] = [createHash('sha256'), createHash('md5')]
  const file = await open(target, 'wx', 0o600)
  try {
    for (const path of paths) {
      for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
        await beforeWriting(chunk.byteLength)
        await file.appendFile(chunk)
        sha256.update(chunk)
        md5.update(chunk)
      }
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return { sha256: sha256.digest('hex'), md5: md5.digest('hex') }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path)).size
}

function invalidParts(what: string): Failure {
  return new Failure('invalid_value', `The field "part_ids" ${what}.`, { param: 'part_ids' })
}

function otherMd5(md5: string): Failure {
  return new Failure('invalid_value', `The field "md5" is not that of the parts, which is ${md5}.`, {
    param: 'md5',
  })
}
