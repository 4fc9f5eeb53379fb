// The file itself: its settings, its size, other processes that write, other versions, a disk that is full.
import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { openJobsFile } from '../../../src/jobs/sqlite/jobs-file.ts'
import { openSqliteQueue } from '../../../src/jobs/sqlite/queue.ts'
import { anOrder, aWindow, claimNow } from '../orders.ts'
import { aDirectory, SILENT } from './opened.ts'

async function aPath() {
  const directory = await aDirectory()
  onTestFinished(() => directory[Symbol.asyncDispose]())
  return join(directory.path, 'new', 'jobs.sqlite')
}

async function aQueue(path: string) {
  const queue = await openSqliteQueue({ path, log: SILENT })
  onTestFinished(() => queue[Symbol.asyncDispose]())
  return queue
}

test('a commit is on the disk when it returns, and the file can shrink', async () => {
  using file = await openJobsFile(await aPath())
  const setting = (name: string) => Object.values(file.prepare(`PRAGMA ${name}`).get() ?? {})[0]

  const names = ['journal_mode', 'synchronous', 'auto_vacuum', 'foreign_keys', 'fullfsync']
  expect(names.map(setting)).toEqual(['wal', 2, 2, 1, 1]) // 2: FULL; 2: INCREMENTAL
})

test('the file is for nobody else, nor is the log beside it', async () => {
  const path = await aPath()
  const queue = await aQueue(path)
  await queue.add(anOrder())

  for (const name of [path, `${path}-wal`]) expect((await stat(name)).mode & 0o777).toBe(0o600)
})

test('a queue that is closed leaves one file, with everything in it', async () => {
  const path = await aPath()
  const queue = await aQueue(path)
  const order = anOrder()
  await queue.add(order)
  await claimNow(queue)
  const { id } = (await queue.add(anOrder())).job.order
  const never = new AbortController().signal
  const waits = [queue.claim('interactive', never), queue.events(id, 1, never)[Symbol.asyncIterator]().next()]
  const ends = waits.map((wait) => expect(wait).rejects.toThrow('the queue of jobs is closed'))

  await queue[Symbol.asyncDispose]()

  await Promise.all(ends)
  expect(await readdir(join(path, '..'))).toEqual(['jobs.sqlite'])
  const again = await aQueue(path)
  expect(await again.find(order.id)).toMatchObject({ state: 'pending', attempts: 0 }) // what was in hand was let go
  expect(await queue.isReachable()).toBe(false)
})

test('forgetting gives the room back to the disk', async () => {
  const path = await aPath()
  const queue = await aQueue(path)
  const { job } = await queue.add(anOrder())
  const lease = await claimNow(queue)
  for (let number = 0; number < 200; number++)
    await lease.finishedWindow({ ...aWindow(number), checkpoint: 'x'.repeat(10_000) })
  await queue.forget(job.order.id)
  await queue[Symbol.asyncDispose]()

  expect((await stat(path)).size).toBeLessThan(200_000) // of more than two million
})

test('whoever finds another process writing waits for it, without standing still', async () => {
  const path = await aPath()
  const queue = await aQueue(path)
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')

  const adding = queue.add(anOrder())
  expect(await queue.isReachable()).toBe(true) // readers wait for nobody
  other.exec('COMMIT')

  expect(await adding).toMatchObject({ isNew: true })
  other.close()
})

test('many may open a new file at once', async () => {
  const path = await aPath()

  const queues = await Promise.all(Array.from({ length: 8 }, () => aQueue(path)))

  await queues[0]?.add(anOrder())
  for (const queue of queues) expect(await queue.list({ limit: 2 })).toHaveLength(1)
})

test('a file of a later version is not touched, and the operator is told', async () => {
  const path = await aPath()
  await (await aQueue(path))[Symbol.asyncDispose]()
  const later = new DatabaseSync(path)
  later.exec('PRAGMA user_version = 99')
  later.close()

  await expect(aQueue(path)).rejects.toThrow(/jobs\.sqlite cannot be opened: they are of version 99/)
})

test('a file that is something else is not touched, and the operator is told', async () => {
  const path = await aPath()
  await (await aQueue(path))[Symbol.asyncDispose]()
  await writeFile(path, 'not a database '.repeat(1000))

  await expect(aQueue(path)).rejects.toThrow(/cannot be opened: file is not a database/)
})

/** A part of every Linux, and so of no package. */
const UNSHARE = 'unshare'
const OWN_MOUNTS = ['--user', '--map-root-user', '--mount', '--']
const ON_A_SMALL_DISK = 'mount -t tmpfs -o size=1M tmpfs "$0" && exec "$@"'
const probe = await aDirectory()
const canMount = !(
  await execa(UNSHARE, [...OWN_MOUNTS, 'sh', '-c', ON_A_SMALL_DISK, probe.path, 'true'], { reject: false })
).failed
await probe[Symbol.asyncDispose]()

test.skipIf(!canMount)('a full disk takes no job and no window, says so, and has lost nothing', async () => {
  const directory = await aDirectory()
  onTestFinished(() => directory[Symbol.asyncDispose]())
  const script = fileURLToPath(new URL('../workers/fills-the-disk.ts', import.meta.url))

  const command = [
    ...OWN_MOUNTS,
    'sh',
    '-c',
    ON_A_SMALL_DISK,
    directory.path,
    process.execPath,
    script,
    directory.path,
  ]
  const { stdout } = await execa(UNSHARE, command)

  expect(JSON.parse(stdout)).toEqual({
    added: 'insufficient_storage',
    window: 'insufficient_storage',
    isLetGoLater: true,
    isIntact: true,
    hasAllThatWasTaken: true,
    goesOnWithRoom: true,
  })
})
