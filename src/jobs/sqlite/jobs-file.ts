/**
 * The one file of the jobs: how durable it is, how one waits for another process that writes, what a full disk is called.
 * It does not know what is in it.
 */
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import { Failure } from '../../failure.ts'
import { MIGRATIONS } from './schema.ts'

/** SQLite waits so long itself, and our event loop with it. The rest is waited for outside. */
const BLOCKING_WAIT_MS = 10
const LONGEST_WAIT_MS = 10_000
const PAUSE_MS = 10

/** Of a megabyte at once, so that nobody waits for the freeing of a long job. */
const PAGES_FREED_AT_ONCE = 256

/** https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5
const SQLITE_FULL = 13
/** The index beside the write-ahead log could not grow. */
const SQLITE_IOERR_SHMSIZE = 4874

/**
 * auto_vacuum has to come before anything is written, so before WAL. FULL: a commit is on the disk when it returns, not only
 * with the next checkpoint. fullfsync is for macOS, whose fsync does not reach the disk.
 */
const PRAGMAS = `
  PRAGMA auto_vacuum = INCREMENTAL;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA fullfsync = ON;
  PRAGMA checkpoint_fullfsync = ON;
  PRAGMA foreign_keys = ON;
  PRAGMA secure_delete = FAST;
  PRAGMA journal_size_limit = 4194304;
`

export class JobsFile implements Disposable {
  readonly #database: DatabaseSync
  readonly #dataVersion: StatementSync
  #seenVersion: unknown

  constructor(database: DatabaseSync) {
    this.#database = database
    this.#dataVersion = database.prepare('PRAGMA data_version')
  }

  prepare(sql: string): StatementSync {
    return this.#database.prepare(sql)
  }

  get isOpen(): boolean {
    return this.#database.isOpen
  }

  /** Durable, whole or not at all. `act` may be called again. @throws Failure insufficient_storage; what `act` throws. */
  async write<Value>(act: () => Value): Promise<Value> {
    try {
      return await patiently(() => inTransaction(this.#database, 'BEGIN IMMEDIATE', act))
    } catch (cause) {
      throw isOfFullDisk(cause) ? fullDisk(cause) : cause
    }
  }

  /** Everything that `act` reads is of one moment. */
  async read<Value>(act: () => Value): Promise<Value> {
    return patiently(() => inTransaction(this.#database, 'BEGIN', act))
  }

  /** Whether another connection has written since this was asked last. */
  othersHaveWritten(): boolean {
    const version = this.#dataVersion.get()?.['data_version']
    const isNew = this.#seenVersion !== undefined && version !== this.#seenVersion
    this.#seenVersion = version
    return isNew
  }

  /** Gives what forgotten jobs have left free back to the disk. */
  async shrink(): Promise<void> {
    const free = this.prepare('PRAGMA freelist_count')
    const freePages = () => Number(free.get()?.['freelist_count'])
    for (let pages = freePages(), before = pages + 1; this.isOpen && pages > 0 && pages < before; ) {
      await patiently(() => this.#database.exec(`PRAGMA incremental_vacuum(${PAGES_FREED_AT_ONCE})`))
      await wait(0)
      before = pages
      pages = this.isOpen ? freePages() : 0
    }
  }

  /** The last connection that closes moves the log into the file and deletes it. */
  [Symbol.dispose](): void {
    if (this.isOpen) this.#database.close()
  }
}

/** @throws Error for the operator */
export async function openJobsFile(path: string): Promise<JobsFile> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await (await open(path, 'a', 0o600)).close() // names and metadata of clients; the log beside it takes the same mode
  const database = new DatabaseSync(path, { timeout: BLOCKING_WAIT_MS })
  try {
    await patiently(() => prepareDatabase(database))
    return new JobsFile(database)
  } catch (cause) {
    database.close()
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`the jobs in ${path} cannot be opened: ${reason}`, { cause })
  }
}

function prepareDatabase(database: DatabaseSync): void {
  database.exec(PRAGMAS)
  const mode = database.prepare('PRAGMA journal_mode').get()?.['journal_mode']
  if (mode !== 'wal') throw new Error(`its file system cannot share memory (journal mode ${String(mode)})`)
  if (versionOf(database) !== MIGRATIONS.length)
    inTransaction(database, 'BEGIN IMMEDIATE', () => migrate(database))
}

function migrate(database: DatabaseSync): void {
  const version = versionOf(database)
  if (version > MIGRATIONS.length)
    throw new Error(`they are of version ${version}, and this program knows up to ${MIGRATIONS.length}`)
  for (const step of MIGRATIONS.slice(version)) database.exec(step)
  database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`)
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
}

function inTransaction<Value>(database: DatabaseSync, begin: string, act: () => Value): Value {
  database.exec(begin)
  try {
    const value = act()
    database.exec('COMMIT')
    return value
  } finally {
    // After some failures, a full disk among them, SQLite has rolled back already.
    if (database.isTransaction) database.exec('ROLLBACK')
  }
}

/** The first try is made at once, before this returns. @throws Error when another process has not stopped writing. */
async function patiently<Value>(act: () => Value): Promise<Value> {
  const givesUpAtMs = performance.now() + LONGEST_WAIT_MS
  for (;;) {
    try {
      return act()
    } catch (cause) {
      if ((resultCode(cause) & 0xff) !== SQLITE_BUSY) throw cause
      if (performance.now() > givesUpAtMs)
        throw new Error(`another process has held the jobs' file for ${LONGEST_WAIT_MS / 1000} seconds`, {
          cause,
        })
    }
    await wait(PAUSE_MS)
  }
}

/** 0: it is none of SQLite's errors. */
function resultCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) : 0
}

function isOfFullDisk(error: unknown): boolean {
  const code = resultCode(error)
  return (code & 0xff) === SQLITE_FULL || code === SQLITE_IOERR_SHMSIZE
}

function fullDisk(cause: unknown): Failure {
  const message = 'The server has no room on its disk for this job. Please try again later.'
  return new Failure('insufficient_storage', message, { cause })
}
