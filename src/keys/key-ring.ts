/**
 * All keys that are good at this moment: those of the settings, and those of the file that `npm run keys` changes while the
 * server runs. Where a client writes its key is HTTP's business.
 */
import { stat } from 'node:fs/promises'
import { type ApiKeys, type Client, clientOf, type KnownKey } from '../api-keys.ts'
import type { Log } from '../log.ts'
import { readKeyFile, type StoredKey } from './key-file.ts'

export interface KeyRingParts {
  /** Of the settings. */
  readonly fixed: ApiKeys
  /** Of the command. Absent: there is no such file, and there will be none. */
  readonly file?: string
  readonly log: Log
  readonly nowMs?: () => number
}

type Entry = KnownKey & { readonly expiresMs: number }

interface Contents {
  /** What changes when the file does. Undefined: there is none. */
  readonly stamp: string | undefined
  readonly entries: readonly Entry[]
}

const NO_FILE: Contents = { stamp: undefined, entries: [] }

export class KeyRing {
  readonly #parts: KeyRingParts
  #contents = NO_FILE
  #isAsking: boolean

  constructor(parts: KeyRingParts) {
    this.#parts = parts
    this.#isAsking = parts.fixed.size > 0
  }

  /** @throws Error for the operator, when there is a file that cannot be read: ignoring it could leave the server open. */
  static async open(parts: KeyRingParts): Promise<KeyRing> {
    const ring = new KeyRing(parts)
    if (parts.file !== undefined) ring.#take(await contentsOf(parts.file, await stampOf(parts.file)))
    return ring
  }

  /** Of the last look. False: everybody may come in. */
  get isAsking(): boolean {
    return this.#isAsking
  }

  /**
   * Whether a key is needed. Once it is, it stays so: whoever revokes the last key, or deletes the file, does not mean
   * "open to all".
   */
  async asks(): Promise<boolean> {
    await this.#look()
    return this.#isAsking
  }

  /** Whose key it is, if it is good now. */
  async clientWith(key: string): Promise<Client | undefined> {
    const { fixed, nowMs = Date.now } = this.#parts
    const { entries } = await this.#look()
    const now = nowMs()
    const good = entries.filter(({ expiresMs }) => now < expiresMs)
    return fixed.clientWith(key) ?? clientOf(good, key)
  }

  /**
   * What the file holds now. Asked for at each request: that costs a tenth of a millisecond, a revoked key is refused at
   * once, and it works on file systems that report no changes. Each asker gets what it has found itself.
   */
  async #look(): Promise<Contents> {
    const { file } = this.#parts
    if (file === undefined) return this.#contents
    try {
      const stamp = await stampOf(file)
      if (stamp === this.#contents.stamp) return this.#contents
      return this.#take(await this.#reread(file, stamp))
    } catch (error) {
      this.#parts.log.error('the file of keys cannot be looked at: those known so far stay good', { error })
      return this.#contents
    }
  }

  /** A file that has become unreadable changes nothing; it is said once. */
  async #reread(file: string, stamp: string | undefined): Promise<Contents> {
    const { log } = this.#parts
    try {
      const contents = await contentsOf(file, stamp)
      log.info('the file of keys has changed', { file, keys: contents.entries.length })
      return contents
    } catch (error) {
      log.error('the file of keys cannot be read: those known so far stay good', { error })
      return { stamp, entries: this.#contents.entries }
    }
  }

  #take(contents: Contents): Contents {
    this.#contents = contents
    this.#isAsking ||= contents.stamp !== undefined
    return contents
  }
}

async function contentsOf(file: string, stamp: string | undefined): Promise<Contents> {
  if (stamp === undefined) return NO_FILE
  const keys = await readKeyFile(file)
  return { stamp, entries: (keys ?? []).filter(({ revoked }) => revoked === null).map(entryOf) }
}

function entryOf({ id, hash, scopes, expires }: StoredKey): Entry {
  const expiresMs = expires === null ? Number.POSITIVE_INFINITY : Date.parse(expires)
  return { hash: Buffer.from(hash, 'hex'), client: { id, scopes }, expiresMs }
}

/** The command replaces the file, so its inode changes with every change, however quick. */
async function stampOf(file: string): Promise<string | undefined> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true })
    return [ino, size, mtimeNs, ctimeNs].join(' ')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
