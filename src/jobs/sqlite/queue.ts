/**
 * The jobs of one machine in one SQLite file, without any other program. Several processes may have it open: those of this one
 * are woken at once, and what others did is looked for now and then. What is done with a job is not known here.
 */
import type { Log } from '../../log.ts'
import { until } from '../../until.ts'
import { MOST_ATTEMPTS_WITHOUT_PROGRESS } from '../abandoned.ts'
import type { FinishedWindow, Job, JobOrder, Lane, NumberedJobEvent } from '../job.ts'
import type { JobCounts, JobFilter, JobQueue, Lease } from '../job-queue.ts'
import { Bell } from './bell.ts'
import { type JobsFile, openJobsFile } from './jobs-file.ts'
import { KeptJobs } from './kept-jobs.ts'
import { LeasesInHand } from './leases-in-hand.ts'
import { type Machine, thisMachine } from './machine.ts'
import type { KeptJob } from './rows.ts'

/** Of windows of 10 KB each: what is read and parsed before somebody else's turn comes. */
const EVENTS_AT_ONCE = 32

export interface SqliteQueueParts {
  readonly path: string
  readonly log: Log
  /** How often one looks for what other processes did, and whether they are there. */
  readonly pollEveryMs?: number
  /** So long a worker may stand still before its job is given to another. */
  readonly leaseMs?: number
  readonly mostAttemptsWithoutProgress?: number
  /** The wall clock: what people are told. No lease and no order depends on it. */
  readonly nowMs?: () => number
  /** Does it again and again until it is disposed of. */
  readonly every?: (ms: number, act: () => void) => Disposable
  readonly machine?: Machine
}

/** @throws Error for the operator, when the file cannot be opened. */
export async function openSqliteQueue(parts: SqliteQueueParts): Promise<JobQueue> {
  const file = await openJobsFile(parts.path)
  const leaseMs = parts.leaseMs ?? 60_000
  const kept = new KeptJobs(file, {
    machine: parts.machine ?? thisMachine(),
    leaseMs,
    mostAttemptsWithoutProgress: parts.mostAttemptsWithoutProgress ?? MOST_ATTEMPTS_WITHOUT_PROGRESS,
    nowMs: parts.nowMs ?? Date.now,
  })
  const queue = new SqliteQueue(file, kept, parts.log)
  await queue.lookAround()
  const every = parts.every ?? realInterval
  queue.runs(every(parts.pollEveryMs ?? 500, () => void queue.lookAround()))
  queue.runs(every(leaseMs / 3, () => void queue.renew()))
  return queue
}

function realInterval(ms: number, act: () => void): Disposable {
  const timer = setInterval(act, ms)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

class SqliteQueue implements JobQueue {
  readonly #file: JobsFile
  readonly #kept: KeptJobs
  readonly #log: Log
  readonly #bell = new Bell()
  readonly #inHand: LeasesInHand
  readonly #running = new DisposableStack()
  #isBlind = false
  #isClosing = false

  constructor(file: JobsFile, kept: KeptJobs, log: Log) {
    this.#file = file
    this.#kept = kept
    this.#log = log
    const onTold = ({ order }: Job) => this.#bell.ring(order.id)
    this.#inHand = new LeasesInHand({ kept, log, onTold, onPending: (job) => this.#ringFor(job) })
  }

  runs(timer: Disposable): void {
    this.#running.use(timer)
  }

  async add(order: JobOrder): Promise<{ readonly job: Job; readonly isNew: boolean }> {
    const added = await this.#kept.add(order)
    if (added.isNew) this.#ringFor(added.job)
    return added
  }

  async find(id: string): Promise<Job | undefined> {
    return this.#file.read(() => this.#kept.jobs.byId(id)?.job)
  }

  async findByKey(owner: string | undefined, key: string): Promise<Job | undefined> {
    return this.#file.read(() => this.#kept.jobs.byKey(owner, key)?.job)
  }

  async list(filter: JobFilter): Promise<readonly Job[]> {
    return jobsOf(await this.#file.read(() => this.#kept.jobs.list(filter)))
  }

  async placeInLine(id: string): Promise<number | undefined> {
    return this.#file.read(() => {
      const kept = this.#kept.jobs.byId(id)
      return kept?.job.state === 'pending' ? this.#kept.jobs.placeOf(kept) : undefined
    })
  }

  async counts(): Promise<JobCounts> {
    return this.#file.read(() => this.#kept.jobs.counts())
  }

  async endedBefore(atMs: number, limit: number): Promise<readonly Job[]> {
    return jobsOf(await this.#file.read(() => this.#kept.jobs.endedBefore(atMs, limit)))
  }

  async claim(lane: Lane, signal: AbortSignal): Promise<Lease> {
    for (;;) {
      this.#requireOpen(signal)
      using listening = this.#bell.listen(lane)
      const claimed = await this.#kept.claim(lane)
      if (claimed) return this.#handOut(claimed, signal)
      await until(listening.rung, signal)
    }
  }

  async cancel(id: string): Promise<{ readonly job: Job; readonly isCancelled: boolean } | undefined> {
    const answer = await this.#kept.cancel(id)
    if (answer?.isCancelled) this.#isOver(id)
    return answer
  }

  async retry(id: string): Promise<Job | undefined> {
    const job = await this.#kept.retry(id)
    if (job) this.#ringFor(job)
    return job
  }

  async forget(id: string): Promise<void> {
    if (!(await this.#file.write(() => this.#kept.jobs.remove(id)))) return
    this.#isOver(id)
    await this.#file
      .shrink()
      .catch((error: unknown) => this.#log.warn('the file of the jobs stays as large as it is', { error }))
  }

  async *events(
    id: string,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<NumberedJobEvent, void, undefined> {
    for (let last = after; ; ) {
      this.#requireOpen(signal)
      using listening = this.#bell.listen(id)
      const { events, isLast } = await this.#file.read(() => this.#kept.events.page(id, last, EVENTS_AT_ONCE))
      for (const event of events) {
        signal.throwIfAborted()
        last = event.number
        yield event
      }
      if (isLast) return
      if (events.length < EVENTS_AT_ONCE) await until(listening.rung, signal)
    }
  }

  async windows(id: string): Promise<readonly FinishedWindow[]> {
    const windows: FinishedWindow[] = []
    for (let last = 0; ; ) {
      const page = await this.#file.read(() => this.#kept.events.windows(id, last, EVENTS_AT_ONCE))
      windows.push(...page.map(({ window }) => window))
      if (page.length < EVENTS_AT_ONCE) return windows
      last = page.at(-1)?.number ?? last
      await new Promise(setImmediate) // ten hours are 12 MB: others have their turn in between
    }
  }

  async lastWindows(id: string, most: number): Promise<readonly FinishedWindow[]> {
    return this.#file.read(() => this.#kept.events.lastWindows(id, most))
  }

  async isReachable(): Promise<boolean> {
    return this.#file
      .read(() => this.#kept.jobs.next('interactive'))
      .then(
        () => true,
        () => false,
      )
  }

  /** What have the others done, and are they still there? Never throws: the next look is soon. */
  async lookAround(): Promise<void> {
    try {
      for (const job of await this.#kept.takeBack()) this.#tellOfTakenBack(job)
      if (this.#file.isOpen && this.#file.othersHaveWritten()) this.#bell.ringForAll()
      await this.#inHand.catchUp()
      this.#isBlind = false
    } catch (error) {
      if (!this.#isBlind && !this.#isClosing) this.#log.warn('the jobs cannot be looked at', { error })
      this.#isBlind = true // told once, not with every look
    }
  }

  renew(): Promise<void> {
    return this.#inHand.renew()
  }

  /** Lets go of what is in hand; whoever waits is told. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosing) return
    this.#isClosing = true
    this.#running.dispose()
    try {
      await this.#inHand.letAllGo()
      await this.#kept.leave()
    } catch (error) {
      this.#log.warn('jobs in hand could not be let go and are taken back later', { error })
    }
    this.#file[Symbol.dispose]()
    this.#bell.ringForAll()
  }

  async #handOut(claimed: KeptJob, signal: AbortSignal): Promise<Lease> {
    const lease = this.#inHand.take(claimed)
    this.#bell.ring(lease.mark.id)
    if (!signal.aborted && !this.#isClosing) return lease
    await lease.release() // it was handed out while the asker left
    this.#requireOpen(signal)
    return lease
  }

  #tellOfTakenBack(job: Job): void {
    const { id, lane } = job.order
    this.#log.warn('a job was taken back from a worker that is gone', {
      job: id,
      lane,
      attempts: job.attempts,
    })
    this.#ringFor(job)
  }

  #isOver(id: string): void {
    this.#inHand.loseJob(id)
    this.#bell.ring(id)
  }

  #ringFor({ order }: Job): void {
    this.#bell.ring(order.id)
    this.#bell.ring(order.lane)
  }

  #requireOpen(signal: AbortSignal): void {
    signal.throwIfAborted()
    if (this.#isClosing) throw new Error('the queue of jobs is closed')
  }
}

function jobsOf(kept: readonly KeptJob[]): readonly Job[] {
  return kept.map(({ job }) => job)
}
