// How long a lease holds: by a clock that does not jump, within one boot, and no longer than its process lives.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { JobQueue } from '../../../src/jobs/job-queue.ts'
import { LeasesInHand } from '../../../src/jobs/sqlite/leases-in-hand.ts'
import { type Machine, thisMachine } from '../../../src/jobs/sqlite/machine.ts'
import { openSqliteQueue } from '../../../src/jobs/sqlite/queue.ts'
import type { KeptJob } from '../../../src/jobs/sqlite/rows.ts'
import { anOrder, aWindow, claimNow } from '../orders.ts'
import { aDirectory, SILENT } from './opened.ts'

const LEASE_MS = 60_000
const MACHINE: Machine = {
  bootId: 'this boot',
  thisProcess: { pidNamespace: 'p', pid: 1, started: '1' },
  monotonicMs: () => 1_000_000,
  isGone: () => false,
}

/** Queues on one file; each does what its timers do only when it is told to. */
async function aFile() {
  const directory = await aDirectory()
  onTestFinished(() => directory[Symbol.asyncDispose]())
  const path = join(directory.path, 'jobs.sqlite')
  return async (changes: Partial<Machine> = {}) => {
    const acts: (() => void)[] = []
    const every = (_ms: number, act: () => void) => {
      acts.push(act)
      return { [Symbol.dispose]: () => {} }
    }
    const machine = { ...MACHINE, ...changes }
    const queue = await openSqliteQueue({ path, log: SILENT, leaseMs: LEASE_MS, machine, every })
    onTestFinished(() => queue[Symbol.asyncDispose]())
    const [look = () => {}, renew = () => {}] = acts
    return { queue, look, renew }
  }
}

/** One who comes later and is told of it: whoever opens the file looks around at once. */
async function stateFor(open: Awaited<ReturnType<typeof aFile>>, id: string, changes: Partial<Machine>) {
  const { queue } = await open(changes)
  return (await queue.find(id))?.state
}

async function claimed(queue: JobQueue) {
  const { job } = await queue.add(anOrder())
  return { id: job.order.id, lease: await claimNow(queue) }
}

test.each<[string, Partial<Machine>, string]>([
  ['as long as it was given for', { monotonicMs: () => 1_000_000 + LEASE_MS }, 'processing'],
  ['not a millisecond longer', { monotonicMs: () => 1_000_001 + LEASE_MS }, 'pending'],
  ['not in another boot', { bootId: 'the next boot' }, 'pending'],
  ['not when time has begun again, in a boot that has no name', { monotonicMs: () => 999_999 }, 'pending'],
  ['not when its process is gone', { isGone: () => true }, 'pending'],
])('a lease that is not renewed holds %s', async (_how, later, state) => {
  const open = await aFile()
  const { queue } = await open()
  const { id } = await claimed(queue)

  expect(await stateFor(open, id, later)).toBe(state)
})

test('a lease that is renewed holds on, however long the job is', async () => {
  const open = await aFile()
  let nowMs = 0
  const clock = { monotonicMs: () => nowMs }
  const { queue, renew } = await open(clock)
  const { id, lease } = await claimed(queue)

  for (let minute = 0; minute < 5; minute++) {
    nowMs += LEASE_MS
    renew()
    expect(await stateFor(open, id, clock)).toBe('processing')
  }
  expect(await lease.complete('r')).toBe(true)
})

test('a worker that stood still for too long is told so when it renews, before it says anything', async () => {
  const open = await aFile()
  let nowMs = 0
  const clock = { monotonicMs: () => nowMs }
  const { queue, renew } = await open(clock)
  const { id, lease } = await claimed(queue)
  nowMs += LEASE_MS + 1
  const other = await open(clock)
  const lost = once(lease.lost, 'abort')

  renew()

  await lost
  expect(await lease.finishedWindow(aWindow(0))).toBe(false)
  expect((await claimNow(other.queue)).job).toMatchObject({ order: { id }, attempts: 2 })
})

test('a worker that stood still for too long, but was missed by nobody, goes on', async () => {
  const open = await aFile()
  let nowMs = 0
  const clock = { monotonicMs: () => nowMs }
  const { queue, look, renew } = await open(clock)
  const { id, lease } = await claimed(queue)

  nowMs += 10 * LEASE_MS
  look()
  renew()

  expect(await lease.finishedWindow(aWindow(0))).toBe(true)
  expect(await stateFor(open, id, clock)).toBe('processing')
})

test('a job that is handed out while one asks which are held is not taken for lost', async () => {
  const answered = Promise.withResolvers<KeptJob[]>()
  const isHeld = async () => true
  const inHand = new LeasesInHand({
    kept: {
      lengthIs: isHeld,
      finishedWindow: isHeld,
      end: isHeld,
      letGo: isHeld,
      renew: () => answered.promise,
      inHand: async () => [],
    },
    log: SILENT,
    onTold: () => {},
    onPending: () => {},
  })
  const claimedAs = (sequence: number): KeptJob => ({
    job: { order: anOrder(), state: 'processing', attempts: 1 },
    sequence,
    token: 1,
    barrenAttempts: 1,
  })
  const [kept, gone] = [claimedAs(1), claimedAs(2)]
  const leases = [inHand.take(kept), inHand.take(gone)]

  const renewed = inHand.renew()
  leases.push(inHand.take(claimedAs(3)))
  answered.resolve([kept])
  await renewed

  expect(leases.map(({ lost }) => lost.aborted)).toEqual([false, true, false])
})

test('this machine knows its boot, and a process by its number and its start', async () => {
  const machine = thisMachine()
  const child = spawn('sleep', ['60'])
  const { pid = 0 } = child
  const { pidNamespace } = machine.thisProcess
  const mark = { ...machine.thisProcess, pid, started: '' }

  expect(machine.bootId).toMatch(/^[0-9a-f-]{36}$/)
  expect(machine.isGone(machine.thisProcess)).toBe(false)
  expect(machine.isGone(mark)).toBe(false)
  expect(machine.isGone({ ...mark, started: '17' })).toBe(true) // the number was given to another
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(machine.isGone(mark)).toBe(true)
  expect(machine.isGone({ ...mark, pidNamespace: `${pidNamespace} of another container` })).toBe(false)
  const [before, after] = [machine.monotonicMs(), machine.monotonicMs()]
  expect(after).toBeGreaterThanOrEqual(before)
})
