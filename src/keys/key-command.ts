/** `npm run keys -- create|list|revoke`: what the words mean, and what is answered. Where the file lies is decided elsewhere. */
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { hashOf, idOf, SCOPES, type Scope } from '../api-keys.ts'
import { changeKeyFile, readKeyFile, type StoredKey } from './key-file.ts'

const USAGE = `npm run keys -- create NAME [--scopes ${SCOPES.join(',')}] [--expires 90d|2027-01-31]
npm run keys -- list [--json]
npm run keys -- revoke NAME|ID`

/** For whoever finds one where it should not be, and for the programs that look for such things. */
const PREFIX = 'hv_'
const RANDOM_BYTES = 32
const USUAL_SCOPES = 'transcribe,jobs'
const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,63}$/u
const DAY_MS = 86_400_000
const UNIT_MS: Readonly<Record<string, number>> = {
  h: DAY_MS / 24,
  d: DAY_MS,
  w: 7 * DAY_MS,
  y: 365 * DAY_MS,
}

export interface Said {
  /** For programs: a new key, or the list. */
  readonly result: string
  /** For people. */
  readonly remark: string
}

/** @throws Error for the operator. */
export async function runKeyCommand(words: readonly string[], file: string, nowMs: number): Promise<Said> {
  const { positionals, values } = parsed(words)
  const [command = '', name, ...more] = positionals
  if (more.length > 0) throw new Error(`too many words: ${more.join(' ')}\n${USAGE}`)
  if (command === 'list' && name === undefined) return list(file, nowMs, values.json ?? false)
  if (command === 'create' && name !== undefined) return create(file, { name, nowMs, ...values })
  if (command === 'revoke' && name !== undefined) return revoke(file, name, nowMs)
  throw new Error(USAGE)
}

function parsed(words: readonly string[]) {
  const options = {
    scopes: { type: 'string' },
    expires: { type: 'string' },
    json: { type: 'boolean' },
  } as const
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true })
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : String(cause)}\n${USAGE}`, { cause })
  }
}

interface Wanted {
  readonly name: string
  readonly nowMs: number
  readonly scopes?: string | undefined
  readonly expires?: string | undefined
}

async function create(file: string, { name, nowMs, scopes, expires }: Wanted): Promise<Said> {
  if (!NAME.test(name)) throw new Error('a name has up to 64 letters, digits, spaces, dots, dashes and _')
  const key = `${PREFIX}${randomBytes(RANDOM_BYTES).toString('base64url')}`
  const stored: StoredKey = {
    id: idOf(key),
    name,
    hash: hashOf(key).toString('hex'),
    scopes: scopesFrom(scopes ?? USUAL_SCOPES),
    created: new Date(nowMs).toISOString(),
    expires: expires === undefined ? null : expiryFrom(expires, nowMs),
    revoked: null,
  }
  await changeKeyFile(file, (keys) => {
    // A name is what a key is revoked by.
    if (keys.some((other) => other.name === name && stateOf(other, nowMs) === 'good')) {
      throw new Error(`there is a key "${name}" already; revoke it first, or take another name`)
    }
    return [...keys, stored]
  })
  const until = stored.expires === null ? 'until it is revoked' : `until ${stored.expires}`
  const remark = `Key "${name}" (${stored.id}) is good for ${stored.scopes.join(', ')} ${until}. It is not shown again; ${file} holds only its hash.`
  return { result: key, remark }
}

function scopesFrom(list: string): Scope[] {
  const wanted = list
    .split(',')
    .map((scope) => scope.trim())
    .filter(Boolean)
  const chosen = SCOPES.filter((scope) => wanted.includes(scope))
  const unknown = wanted.filter((scope) => !chosen.some((known) => known === scope))
  if (unknown.length > 0 || chosen.length === 0) {
    throw new Error(`--scopes ${list}: a list of ${SCOPES.join(', ')}`)
  }
  return chosen
}

function expiryFrom(text: string, nowMs: number): string {
  const [, count, unit = ''] = /^(\d{1,5})([hdwy])$/.exec(text) ?? []
  const isDate = /^\d{4}-\d\d-\d\d(T.+)?$/.test(text)
  const ms =
    count === undefined ? Date.parse(isDate ? text : '') : nowMs + Number(count) * (UNIT_MS[unit] ?? 0)
  if (!(ms > nowMs))
    throw new Error(`--expires ${text}: 12h, 90d, 4w, 1y or a date to come, such as 2027-01-31`)
  return new Date(ms).toISOString()
}

async function revoke(file: string, nameOrId: string, nowMs: number): Promise<Said> {
  let revoked: StoredKey | undefined
  await changeKeyFile(file, (keys) => {
    revoked = keys.find(
      (key) =>
        key.revoked === null &&
        (key.id === nameOrId || (key.name === nameOrId && stateOf(key, nowMs) === 'good')),
    )
    if (revoked === undefined)
      throw new Error(`there is no good key "${nameOrId}"; \`list\` shows what there is`)
    const { id } = revoked
    return keys.map((key) => (key.id === id ? { ...key, revoked: new Date(nowMs).toISOString() } : key))
  })
  const remark = `Key "${revoked?.name}" (${revoked?.id}) is refused from now on.`
  return { result: '', remark }
}

async function list(file: string, nowMs: number, isJson: boolean): Promise<Said> {
  const keys = (await readKeyFile(file)) ?? []
  const shown = keys.map((key) => withoutHash(key, nowMs))
  if (isJson) return { result: JSON.stringify(shown, null, 2), remark: '' }
  const head = ['id', 'name', 'state', 'scopes', 'created', 'expires']
  const rows = shown.map((key) => [
    key.id,
    key.name,
    key.state,
    key.scopes.join(','),
    key.created.slice(0, 10),
    key.expires?.slice(0, 10) ?? '-',
  ])
  return { result: table([head, ...rows]), remark: keys.length === 0 ? `${file} holds no keys.` : '' }
}

function withoutHash({ id, name, scopes, created, expires, revoked }: StoredKey, nowMs: number) {
  return { id, name, scopes, created, expires, revoked, state: stateOf({ revoked, expires }, nowMs) }
}

function stateOf({ revoked, expires }: Pick<StoredKey, 'revoked' | 'expires'>, nowMs: number) {
  if (revoked !== null) return 'revoked'
  return expires !== null && Date.parse(expires) <= nowMs ? 'expired' : 'good'
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')
  return rows.map((row) => line(row).trimEnd()).join('\n')
}
