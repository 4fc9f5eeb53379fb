/** The files of uploads: one directory each, with its record and its bytes. How they come in is not known here. */
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { UploadRecord } from './upload-record.ts'

/** A directory without a record is one that is being made, or whose maker has died. */
const UNFINISHED_MS = 3_600_000

export interface KeptUpload {
  readonly record: UploadRecord
  /** When the last of it came. */
  readonly touchedAtMs: number
}

export class UploadDirectory {
  readonly #path: string
  readonly #nowMs: () => number

  /** @param path of a directory that is nobody else's. */
  static async open(path: string, nowMs: () => number): Promise<UploadDirectory> {
    await mkdir(path, { recursive: true, mode: 0o700 })
    return new UploadDirectory(path, nowMs)
  }

  private constructor(path: string, nowMs: () => number) {
    this.#path = path
    this.#nowMs = nowMs
  }

  async create(record: UploadRecord): Promise<void> {
    await mkdir(join(this.pathOf(record.id), 'parts'), { recursive: true, mode: 0o700 })
    await writeFile(this.contentOf(record.id), '', { mode: 0o600, flush: true })
    await this.save(record)
  }

  /** Old or new, never half. */
  async save(record: UploadRecord): Promise<void> {
    const path = this.#recordOf(record.id)
    const written = `${path}.${randomUUID()}`
    await writeFile(written, JSON.stringify(record), { mode: 0o600, flush: true })
    await this.#setTime(written)
    await rename(written, path)
  }

  /** Undefined: there is none, whatever the id is made of. */
  async find(id: string): Promise<KeptUpload | undefined> {
    if (!z.uuid().safeParse(id).success) return undefined
    const path = this.#recordOf(id)
    try {
      const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)])
      return { record: UploadRecord.parse(JSON.parse(text)), touchedAtMs: mtimeMs }
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  }

  /** More of it has come. */
  async touch(id: string): Promise<void> {
    await this.#setTime(this.#recordOf(id))
  }

  async remove(id: string): Promise<void> {
    await rm(this.pathOf(id), { recursive: true, force: true })
  }

  /** @param hasExpired is asked of each; a record that cannot be read is as good as none. */
  async sweep(nowMs: number, hasExpired: (upload: KeptUpload) => boolean): Promise<void> {
    for (const id of await readdir(this.#path)) {
      const upload = await this.find(id).catch(() => undefined)
      const isOver = upload === undefined ? await this.#isLeftover(id, nowMs) : hasExpired(upload)
      if (isOver) await rm(join(this.#path, id), { recursive: true, force: true })
    }
  }

  contentOf(id: string): string {
    return join(this.pathOf(id), 'content')
  }

  partsOf(id: string): string {
    return join(this.pathOf(id), 'parts')
  }

  /** @param id a UUID: nothing else has a directory. */
  pathOf(id: string): string {
    return join(this.#path, z.uuid().parse(id))
  }

  #recordOf(id: string): string {
    return join(this.pathOf(id), 'upload.json')
  }

  async #setTime(path: string): Promise<void> {
    const seconds = this.#nowMs() / 1000
    await utimes(path, seconds, seconds)
  }

  async #isLeftover(name: string, nowMs: number): Promise<boolean> {
    const found = await stat(join(this.#path, name)).catch(() => undefined)
    return found !== undefined && nowMs - found.mtimeMs > UNFINISHED_MS
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
