// Power cuts, simulated on copies of the files: what a disk that keeps what it has acknowledged to fsync, and of the rest any part
// in any order, could hold when the machine comes up again. Not simulated: a disk that lies about fsync, a broken file system, and
// that SQLite asks for fsync at all, of which only the setting is looked at (jobs-file.test.ts).
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { hasEnded } from '../../../src/jobs/job.ts'
import type { JobQueue } from '../../../src/jobs/job-queue.ts'
import { openSqliteQueue } from '../../../src/jobs/sqlite/queue.ts'
import { aFailure, anOrder, aWindow, claimNow, story } from '../orders.ts'
import { aDirectory, SILENT } from './opened.ts'

/** https://www.sqlite.org/fileformat2.html#the_write_ahead_log */
const WAL_HEADER_BYTES = 32
const PAGE_BYTES = 4096
const FRAME_BYTES = 24 + PAGE_BYTES

/** What was acknowledged when the log was that long: each job's story, as whoever was told of it knows it. */
interface Acknowledged {
  readonly logBytes: number
  readonly stories: ReadonlyMap<string, readonly (string | number)[]>
}

interface Files {
  readonly main: Buffer
  readonly log: Buffer
}

async function aPlace() {
  const directory = await aDirectory()
  onTestFinished(() => directory[Symbol.asyncDispose]())
  const path = join(directory.path, 'jobs.sqlite')
  const files = async (): Promise<Files> => ({
    main: await readFile(path),
    log: await readFile(`${path}-wal`),
  })
  return { path, files }
}

/** A little of everything that is written, each step acknowledged before the next. */
async function* work(queue: JobQueue): AsyncGenerator<Map<string, readonly (string | number)[]>> {
  const stories = new Map<string, readonly (string | number)[]>()
  const tell = (id: string, ...more: (string | number)[]) =>
    stories.set(id, [...(stories.get(id) ?? []), ...more])
  const orders = [1, 2, 3].map(() => anOrder({ idempotencyKey: crypto.randomUUID() }))
  for (const order of orders) {
    await queue.add(order)
    yield tell(order.id, 'pending')
  }
  for (const [index, { id }] of orders.entries()) {
    const lease = await claimNow(queue)
    yield tell(id, 'processing')
    for (const number of [0, 1]) {
      const window = { ...aWindow(number), checkpoint: 'x'.repeat(9000) } // more than a page, as windows are
      await lease.finishedWindow(window)
      yield tell(id, number)
    }
    if (index === 0) await lease.complete('r')
    else if (index === 1) await lease.fail(aFailure())
    else await queue.cancel(id)
    yield tell(id, ['completed', 'failed', 'cancelled'][index] ?? '')
  }
}

/** All that is there when the machine comes up again with these files, and SQLite's own opinion of them. */
async function comesUpWith({ main, log }: Files, path: string) {
  await Promise.all([writeFile(path, main), writeFile(`${path}-wal`, log)])
  const database = new DatabaseSync(path)
  const integrity = database
    .prepare('PRAGMA integrity_check')
    .all()
    .map((row) => row['integrity_check'])
  const orphans = database.prepare('PRAGMA foreign_key_check').all()
  database.close()
  expect({ integrity, orphans }).toEqual({ integrity: ['ok'], orphans: [] })
  return readStories(path)
}

async function readStories(path: string): Promise<Map<string, (string | number)[]>> {
  await using queue = await openSqliteQueue({ path, log: SILENT, machine: ANOTHER_BOOT })
  const stories = new Map<string, (string | number)[]>()
  for (const job of await queue.list({ limit: 100 })) {
    // Who was at work is not there after the cut: such a job is pending again, and its story is not over.
    expect(job.state).not.toBe('processing')
    if (!hasEnded(job)) await queue.cancel(job.order.id)
    const told = await story(queue, job.order.id)
    // Nothing half: what stands in the job is what was told of it.
    const windows = told.filter((each) => typeof each === 'number').length
    expect(job.processedSeconds ?? 0).toBe(30 * windows)
    if (hasEnded(job)) expect(told.at(-1)).toBe(job.state)
    stories.set(job.order.id, hasEnded(job) ? told : told.slice(0, -1))
  }
  return stories
}

const ANOTHER_BOOT = {
  bootId: 'after the cut',
  thisProcess: { pidNamespace: 'n', pid: 1, started: '1' },
  monotonicMs: () => 1,
  isGone: () => false,
}

/** At least what was acknowledged, and no more than the one step that was under way. */
function expectKept(
  stories: ReadonlyMap<string, readonly (string | number)[]>,
  acknowledged: Acknowledged['stories'],
): void {
  let more = 0
  for (const [id, told] of acknowledged) {
    const kept = stories.get(id) ?? []
    expect(kept.slice(0, told.length)).toEqual(told)
    const rest = kept.slice(told.length)
    // A job that was in a worker's hands is told to be pending again by whoever comes up.
    more += rest.filter((each, index) => !(each === 'pending' && index === rest.length - 1)).length
  }
  expect(stories.size - acknowledged.size + more).toBeLessThanOrEqual(1)
}

async function workUntilTheEnd() {
  const { path, files } = await aPlace()
  const queue = await openSqliteQueue({ path, log: SILENT })
  onTestFinished(() => queue[Symbol.asyncDispose]())
  const before = await files()
  const steps: Acknowledged[] = [{ logBytes: before.log.length, stories: new Map() }]
  for await (const stories of work(queue)) {
    steps.push({ logBytes: (await files()).log.length, stories: new Map(stories) })
  }
  return { path, steps, files: await files(), mainBefore: before.main }
}

const lastBefore = (steps: readonly Acknowledged[], bytes: number) =>
  steps.findLast(({ logBytes }) => logBytes <= bytes) ?? { logBytes: 0, stories: new Map() }

describe('after a power cut', () => {
  test('at any frame of the log, or in the middle of one, all that was acknowledged is there, and nothing half', async () => {
    const { path, steps, files, mainBefore } = await workUntilTheEnd()
    expect(files.main.equals(mainBefore)).toBe(true) // no checkpoint yet: the log has everything, and may be cut anywhere
    const copy = `${path}.copy`
    const first = steps[0]?.logBytes ?? 0

    let cuts = 0
    for (let frame = first; frame < files.log.length; frame += FRAME_BYTES) {
      for (const bytes of [frame, frame + 11, frame + 24 + PAGE_BYTES / 2]) {
        const torn = files.log.subarray(0, bytes)
        expectKept(await comesUpWith({ main: files.main, log: torn }, copy), lastBefore(steps, bytes).stories)
        cuts++
      }
    }

    expect(cuts).toBeGreaterThan(3 * steps.length)
  })

  test('that kept later parts of the last commit and lost earlier ones, the commit is not there, and nothing else is missing', async () => {
    const { path, steps, files } = await workUntilTheEnd()
    const copy = `${path}.copy`

    let holes = 0
    for (const [index, { logBytes }] of steps.entries()) {
      const before = steps[index - 1]
      if (!before || logBytes - before.logBytes < 2 * FRAME_BYTES) continue
      const holed = Buffer.from(files.log.subarray(0, logBytes))
      holed.fill(0, before.logBytes, before.logBytes + FRAME_BYTES)
      expectKept(await comesUpWith({ main: files.main, log: holed }, copy), before.stories)
      holes++
    }

    expect(holes).toBe(steps.length - 1) // every step is of several frames
  })

  test('in the middle of a checkpoint, with any of its pages written, everything is there', async () => {
    const { path, steps, files } = await workUntilTheEnd()
    const copy = `${path}.copy`
    await Promise.all([copyFile(path, copy), writeFile(`${copy}-wal`, files.log)])
    const database = new DatabaseSync(copy)
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    database.close()
    const whole = await readFile(copy)
    const pages = whole.length / PAGE_BYTES

    for (let seed = 1; seed <= 12; seed++) {
      const main = Buffer.concat([files.main, Buffer.alloc(Math.max(0, whole.length - files.main.length))])
      for (let page = 0; page < pages; page++) {
        if (isDrawn(seed, page))
          whole.copy(main, page * PAGE_BYTES, page * PAGE_BYTES, (page + 1) * PAGE_BYTES)
      }
      const stories = await comesUpWith({ main, log: files.log }, copy)
      expect(stories).toEqual(steps.at(-1)?.stories)
    }
  })

  test('while the log is begun again from its start, over what lies there, all that was acknowledged is there', async () => {
    const { path, steps, files } = await workUntilTheEnd()
    const copy = `${path}.copy`
    await Promise.all([copyFile(path, copy), writeFile(`${copy}-wal`, files.log)])
    const order = anOrder()
    const stories = new Map(steps.at(-1)?.stories)
    // Another connection, so that the last to close does not delete the log.
    const onlooker = new DatabaseSync(copy)
    onlooker.exec('PRAGMA wal_checkpoint(PASSIVE)')
    {
      await using queue = await openSqliteQueue({ path: copy, log: SILENT })
      await queue.add(order)
    }
    const [main, log] = await Promise.all([readFile(copy), readFile(`${copy}-wal`)])
    onlooker.close()
    const rewritten = rewrittenBytes(files.log, log)
    expect(rewritten).toBeGreaterThan(WAL_HEADER_BYTES)
    expect(rewritten).toBeLessThan(log.length)

    for (let bytes = 0; bytes <= rewritten; bytes += 515) {
      const torn = Buffer.concat([log.subarray(0, bytes), files.log.subarray(bytes)])
      expectKept(await comesUpWith({ main, log: torn }, `${copy}.2`), stories)
    }
    expect((await comesUpWith({ main, log }, `${copy}.2`)).get(order.id)).toEqual(['pending'])
  })
})

/** How far the log that was begun again differs from what lay there. */
function rewrittenBytes(before: Buffer, after: Buffer): number {
  let bytes = Math.min(before.length, after.length)
  while (bytes > 0 && before[bytes - 1] === after[bytes - 1]) bytes--
  return bytes
}

/** Half of all pages, other ones with each seed. */
function isDrawn(seed: number, page: number): boolean {
  return (Math.imul(seed * 2_654_435_761 + page, 0x9e3779b1) >>> 16) % 2 === 0
}
