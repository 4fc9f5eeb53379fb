/**
 * What job-queue.ts promises when real processes are killed with -9 while they hand in and work, for every driver alike. A kill
 * comes somewhere in a step; what the operating system has been given, it keeps.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { JobQueue } from '../../src/jobs/job-queue.ts'
import { addAll, anOrder, comesTo, story } from './orders.ts'
import { resultOf, WINDOWS_OF_A_JOB } from './workers/deterministic.ts'

interface QueueForProcesses extends AsyncDisposable {
  /** The test's own connection. */
  readonly queue: JobQueue
  /** The path of a module with `openQueue(settings): Promise<JobQueue>`, for the processes. */
  readonly opener: string
  /** JSON. */
  readonly settings: unknown
}

const KILLS = 20
const JOBS = 50
/** Enough that no unlucky job is given up: that is another test's (contract/leases.ts). */
const settings = { mostAttemptsWithoutProgress: 1000 }

export type OpenForProcesses = (settings: {
  mostAttemptsWithoutProgress: number
}) => Promise<QueueForProcesses>

/** A small process that says a line after each step, and begins when it is told to. */
class Process {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(script: string, { opener, settings }: QueueForProcesses) {
    const path = fileURLToPath(new URL(`./workers/${script}`, import.meta.url))
    const child = spawn(process.execPath, [path, opener, JSON.stringify(settings)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child = child
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    onTestFinished(() => void child.kill('SIGKILL'))
  }

  /** It has loaded, which takes longest, and waits before it opens the queue and before each step. */
  goOn(how: 'one step' | 'freely'): void {
    this.#child.stdin?.write(`${how}\n`)
  }

  /** @throws Error when the process has ended by itself */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next()
    if (done) throw new Error('the process has ended by itself')
    return value
  }

  async kill(): Promise<string[]> {
    this.#child.kill('SIGKILL')
    const rest: string[] = []
    for (let next = await this.#lines.next(); !next.done; next = await this.#lines.next())
      rest.push(next.value)
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
    return rest
  }
}

/** Steps that are awaited, and one that is not: the kill comes before, in or after it. */
async function killInTheMiddle(worker: Process | undefined, kill: number): Promise<void> {
  worker?.goOn('one step') // opening the queue
  for (let steps = (kill * 7) % 11; steps > 0; steps--) {
    worker?.goOn('one step')
    await worker?.line()
  }
  worker?.goOn('one step')
  for (let turns = kill % 5; turns > 0; turns--) await new Promise(setImmediate)
  await worker?.kill()
}

/** Whatever happened on the way: every window once and in order, one end, and the result that a single worker would have had. */
async function expectDoneOnce(queue: JobQueue, ids: readonly string[]): Promise<number> {
  let attempts = 0
  const windows = Array.from({ length: WINDOWS_OF_A_JOB }, (_, number) => number)
  for (const id of ids) {
    const told = await story(queue, id)
    const job = await queue.find(id)
    expect(told.filter((each) => typeof each === 'number')).toEqual(windows)
    expect(told.filter((each) => each === 'completed')).toEqual(['completed'])
    expect(told.at(-1)).toBe('completed')
    expect(job).toMatchObject({ state: 'completed', resultKey: resultOf(windows) })
    expect(told.filter((each) => each === 'processing')).toHaveLength(job?.attempts ?? 0)
    attempts += job?.attempts ?? 0
  }
  return attempts
}

export function crashContract(name: string, open: OpenForProcesses): void {
  describe(`processes that are killed, with ${name}`, () => {
    test(`a worker that is killed with -9 ${KILLS} times during ${JOBS} jobs: none lost, none done twice, none stuck`, async () => {
      await using opened = await open(settings)
      const orders = Array.from({ length: JOBS }, (_, number) => anOrder({ owner: `owner ${number % 3}` }))
      await addAll(opened.queue, orders)
      const workers = [new Process('does-jobs.ts', opened), new Process('does-jobs.ts', opened)]

      for (let kill = 0; kill < KILLS; kill++) {
        workers.push(new Process('does-jobs.ts', opened)) // loads while the other works
        await killInTheMiddle(workers.shift(), kill)
      }
      workers[0]?.goOn('freely')
      for (const { id } of orders) await comesTo(opened.queue, id, 'completed')

      const attempts = await expectDoneOnce(
        opened.queue,
        orders.map(({ id }) => id),
      )
      expect(attempts).toBeGreaterThan(JOBS) // some were in hand when their worker was killed, or nothing was tried here
      expect((await opened.queue.counts()).batch).toMatchObject({
        completed: JOBS,
        pending: 0,
        processing: 0,
      })
      for (const worker of workers) await worker.kill()
    })

    test('three processes share the work, one of them is killed: each job is done once', async () => {
      await using opened = await open(settings)
      const ids = (
        await addAll(
          opened.queue,
          Array.from({ length: JOBS }, () => anOrder()),
        )
      ).map(({ id }) => id)
      const doomed = new Process('does-jobs.ts', opened)
      const others = [new Process('does-jobs.ts', opened), new Process('does-jobs.ts', opened)]
      doomed.goOn('one step') // opening the queue
      for (const _step of ['claims', 'finishes a window', 'and another']) {
        doomed.goOn('one step')
        await doomed.line()
      }

      for (const worker of others) worker.goOn('freely')
      await comesTo(opened.queue, ids.at(1) ?? '', 'processing')
      await doomed.kill()
      for (const id of ids) await comesTo(opened.queue, id, 'completed')

      expect(await expectDoneOnce(opened.queue, ids)).toBe(JOBS + 1)
      for (const worker of others) await worker.kill()
    })

    test('whatever was said to be taken is there after the process that took it was killed with -9', async () => {
      await using opened = await open(settings)
      const adders = [1, 2, 3].map(() => new Process('adds-jobs.ts', opened))
      const taken: string[] = []
      for (const adder of adders) adder.goOn('freely')

      for (const adder of adders) {
        for (let jobs = 0; jobs < 20; jobs++) taken.push(await adder.line())
        taken.push(...(await adder.kill()))
      }

      expect(taken.length).toBeGreaterThanOrEqual(60)
      for (const id of taken)
        expect(await opened.queue.find(id)).toMatchObject({ state: 'pending', attempts: 0 })
      const listed = await opened.queue.list({ limit: 10_000 })
      expect(listed.length - taken.length).toBeLessThanOrEqual(3) // taken, and killed before it was said
    })
  })
}
