/**
 * Blobs in a directory. It decides how bytes become durable under a name; what they are it does not know. No key is the
 * beginning of another one up to a slash: a directory holds either files or bytes.
 */
import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { lstat, mkdir, open, opendir, readdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { checkBeginning, checkKey, checkRemovable } from './key-rules.ts'
import { BlobMissing, type Blobs } from './blobs.ts'

/** Keys begin with a letter or a digit, so none of them is in here. */
const INCOMING = '.incoming'
/**
 * Nobody writes to a file for so long without writing. By age, not by process number: two containers may share the directory,
 * and in both of them the process is number 1.
 */
const LEFTOVER_MS = 3_600_000
/** A directory may be removed between its making and its use, by whoever removes the last blob in it. */
const MOVE_TRIES = 5

/** Sweeps what killed processes have left half written. */
export async function diskBlobs(directory: string): Promise<Blobs> {
  const incoming = join(directory, INCOMING)
  await mkdir(incoming, { recursive: true, mode: 0o700 })
  await sweep(incoming)
  return new DiskBlobs(directory, incoming)
}

class DiskBlobs implements Blobs {
  readonly #directory: string
  readonly #incoming: string

  constructor(directory: string, incoming: string) {
    this.#directory = directory
    this.#incoming = incoming
  }

  async put(key: string, content: Uint8Array | string, signal?: AbortSignal): Promise<void> {
    const target = this.#pathOf(key)
    await using written = this.#temporary()
    await writeFile(written.path, content, { mode: 0o600, flush: true, ...(signal && { signal }) })
    await this.#move(written.path, target)
  }

  async take(key: string, path: string, signal?: AbortSignal): Promise<void> {
    const target = this.#pathOf(key)
    signal?.throwIfAborted()
    await sync(path)
    try {
      await this.#move(path, target)
    } catch (error) {
      if (codeOf(error) !== 'EXDEV') throw error
      await this.#copy(path, target, signal)
      await rm(path, { force: true })
    }
  }

  async sizeOf(key: string): Promise<number | undefined> {
    try {
      const found = await stat(this.#pathOf(key))
      return found.isFile() ? found.size : undefined
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  }

  async *read(key: string, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* createReadStream(this.#pathOf(key), signal && { signal }) as AsyncIterable<Uint8Array>
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      throw isAbsent(error) || codeOf(error) === 'EISDIR' ? new BlobMissing(key) : error
    }
  }

  async asFile(key: string, _directory: string, signal?: AbortSignal) {
    signal?.throwIfAborted()
    if ((await this.sizeOf(key)) === undefined) throw new BlobMissing(key)
    return { path: this.#pathOf(key), [Symbol.asyncDispose]: async () => {} }
  }

  async *list(beginning: string) {
    const { parent, name } = this.#splitBeginning(checkBeginning(beginning))
    for await (const path of filesBelow(parent, (entry) => entry.startsWith(name) && entry !== INCOMING)) {
      const found = await lstat(path).catch(undefinedIfAbsent)
      if (found === undefined) continue // removed meanwhile
      yield { key: relative(this.#directory, path), sizeBytes: found.size, storedAtMs: found.mtimeMs }
    }
  }

  async remove(beginning: string): Promise<void> {
    const { parent, name } = this.#splitBeginning(checkRemovable(beginning))
    const entries = (await readdir(parent).catch(undefinedIfAbsent)) ?? []
    const meant = entries.filter((entry) => entry.startsWith(name) && entry !== INCOMING)
    await Promise.all(meant.map((entry) => rm(join(parent, entry), { recursive: true, force: true })))
    await this.#removeEmpty(parent)
  }

  #pathOf(key: string): string {
    return join(this.#directory, checkKey(key))
  }

  /** Everything that begins so lies in `parent`, in files and directories whose names begin with `name`. */
  #splitBeginning(beginning: string) {
    const end = beginning.lastIndexOf('/') + 1
    return { parent: join(this.#directory, beginning.slice(0, end)), name: beginning.slice(end) }
  }

  #temporary() {
    const path = join(this.#incoming, randomUUID())
    return { path, [Symbol.asyncDispose]: () => rm(path, { force: true }) }
  }

  async #copy(from: string, target: string, signal?: AbortSignal): Promise<void> {
    await using written = this.#temporary()
    const sink = createWriteStream(written.path, { mode: 0o600, flush: true })
    await pipeline(createReadStream(from), sink, signal === undefined ? {} : { signal })
    await this.#move(written.path, target)
  }

  /** Then its name is as durable as its bytes. */
  async #move(from: string, target: string): Promise<void> {
    const directory = dirname(target)
    for (let left = MOVE_TRIES; ; left -= 1) {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      try {
        await rename(from, target)
        break
      } catch (error) {
        if (left === 1 || codeOf(error) !== 'ENOENT') throw error
        await lstat(from) // or it is the file itself that is not there
      }
    }
    await this.#syncUpwards(directory)
  }

  /** Which of the directories are new nobody knows: somebody else may be making the same ones. */
  async #syncUpwards(directory: string): Promise<void> {
    for (let path = directory; ; path = dirname(path)) {
      await sync(path).catch(undefinedIfAbsent)
      if (path === this.#directory) return
    }
  }

  async #removeEmpty(directory: string): Promise<void> {
    if (directory === this.#directory || `${directory}` === `${this.#directory}/`) return
    const isLeft = await rmdir(directory).then(
      () => false,
      () => true, // it holds something, or somebody was faster
    )
    if (!isLeft) await this.#removeEmpty(dirname(directory))
  }
}

async function* filesBelow(
  directory: string,
  isMeant: (name: string) => boolean,
): AsyncGenerator<string, void, undefined> {
  const opened = await opendir(directory).catch(undefinedIfAbsent)
  if (opened === undefined) return
  for await (const entry of opened) {
    if (!isMeant(entry.name)) continue
    const path = join(directory, entry.name)
    if (entry.isDirectory()) yield* filesBelow(path, () => true)
    else yield path
  }
}

async function sweep(incoming: string): Promise<void> {
  const names = await readdir(incoming)
  await Promise.all(
    names.map(async (name) => {
      const path = join(incoming, name)
      const found = await lstat(path).catch(undefinedIfAbsent)
      if (found !== undefined && Date.now() - found.mtimeMs > LEFTOVER_MS) await rm(path, { force: true })
    }),
  )
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function undefinedIfAbsent(error: unknown): undefined {
  if (!isAbsent(error)) throw error
}

/** A file where a directory should be means the same: under that name there is nothing. */
function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(codeOf(error))
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
