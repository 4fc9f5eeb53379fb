/**
 * The keys that clients may show. Only their hashes are kept, out of reach of whoever prints an object; where a client
 * writes its key is HTTP's business.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** Who holds a key: fit for logs and queues, since nothing leads from it back to the key. */
export interface Client {
  readonly id: string
  /** What the key may be used for. */
  readonly scopes: readonly Scope[]
}

/** `admin` holds the others. */
export const SCOPES = ['transcribe', 'jobs', 'metrics', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

export interface KnownKey {
  readonly hash: Buffer
  readonly client: Client
}

/** What fits into a header as one word. */
const SENDABLE = /^[\x21-\x7e]+$/

export class ApiKeys {
  readonly #known: readonly KnownKey[]

  constructor(keys: Iterable<string> = []) {
    this.#known = [...new Set(keys)].map((key) => ({
      hash: hashOf(key),
      client: { id: idOf(key), scopes: ['admin'] }, // whoever can write them into the settings may do everything
    }))
  }

  /** 0: nobody needs a key. */
  get size(): number {
    return this.#known.length
  }

  clientWith(key: string): Client | undefined {
    return clientOf(this.#known, key)
  }
}

/** Takes the same time for every key of a length: hashes are compared, whole, and all of them. */
export function clientOf(known: readonly KnownKey[], key: string): Client | undefined {
  const shown = hashOf(key)
  return known.filter(({ hash }) => timingSafeEqual(hash, shown))[0]?.client
}

/**
 * The keys of both settings together. `list` separates them by commas or spaces; the file holds one a line, and
 * comments after `#`.
 *
 * @throws Error for the operator. It names settings and lines, never a key.
 */
export function readApiKeys(list: string, file: string): ApiKeys {
  const listed = list.split(/[\s,]+/).filter(Boolean)
  if (list !== '' && listed.length === 0) throw new Error('API_KEYS is set but holds no key')
  listed.forEach((key, index) => requireSendable(key, `API_KEYS: key ${index + 1}`))
  return new ApiKeys([...listed, ...(file === '' ? [] : keysIn(file))])
}

function keysIn(file: string): string[] {
  const where = `API_KEYS_FILE=${file}`
  const lines = linesOf(file, where).map((line) => line.replace(/(^|\s)#.*$/, '').trim())
  lines.forEach((key, index) => {
    if (key !== '') requireSendable(key, `${where}: line ${index + 1}`)
  })
  const keys = lines.filter(Boolean)
  // Open to everybody is not what whoever names a file of keys has in mind.
  if (keys.length === 0) throw new Error(`${where}: the file holds no key`)
  return keys
}

function linesOf(file: string, where: string): string[] {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/)
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason'
    throw new Error(`${where}: the file cannot be read (${reason})`, { cause })
  }
}

function requireSendable(key: string, where: string): void {
  if (!SENDABLE.test(key)) throw new Error(`${where} has spaces or characters that no header can carry`)
}

export function hashOf(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

/** Not the beginning of the hash that is compared: an id may be seen. */
export function idOf(key: string): string {
  return createHash('sha256').update(`client of ${key}`).digest('hex').slice(0, 12)
}
