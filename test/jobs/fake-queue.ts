/** The port to jobs, in memory, for tests of what stands above it. What the real ones must do is in the contract suite. */
import { EventEmitter, on } from 'node:events'
import {
  hasEnded,
  type FinishedWindow,
  type Job,
  JOB_STATES,
  type JobEvent,
  type JobOrder,
  LANES,
  type Lane,
  type NumberedJobEvent,
} from '../../src/jobs/job.ts'
import type { JobCounts, JobFilter, JobQueue, Lease } from '../../src/jobs/job-queue.ts'
import { until } from '../../src/until.ts'

interface Record {
  job: Job
  readonly events: NumberedJobEvent[]
  windows: FinishedWindow[]
  holder: AbortController | undefined
}

export class FakeQueue implements JobQueue {
  nowMs = 1_790_000_000_000
  /** Thrown by the next `add`, after it has been done or before. */
  addFails: { readonly error: Error; readonly isDone: boolean } | undefined
  readonly #records = new Map<string, Record>()
  readonly #changes = new EventEmitter().setMaxListeners(0)

  async add(order: JobOrder) {
    const { owner, idempotencyKey } = order
    const isSame = ({ job }: Record) =>
      job.order.owner === owner && job.order.idempotencyKey === idempotencyKey
    const earlier = idempotencyKey === undefined ? undefined : [...this.#records.values()].find(isSame)
    if (earlier) return { job: earlier.job, isNew: false }
    const fails = this.addFails
    this.addFails = undefined
    if (fails && !fails.isDone) throw fails.error
    const record: Record = {
      job: { order, state: 'pending', attempts: 0 },
      events: [],
      windows: [],
      holder: undefined,
    }
    this.#records.set(order.id, record)
    this.#tell(record, { kind: 'state', state: 'pending' })
    if (fails) throw fails.error
    return { job: record.job, isNew: true }
  }

  async find(id: string) {
    return this.#records.get(id)?.job
  }

  async findByKey(owner: string | undefined, key: string) {
    const all = [...this.#records.values()].map(({ job }) => job)
    return all.find(({ order }) => order.owner === owner && order.idempotencyKey === key)
  }

  async list({ owner, states, before, limit }: JobFilter) {
    const all = [...this.#records.values()].map(({ job }) => job).toReversed()
    const start = before === undefined ? 0 : all.findIndex(({ order }) => order.id === before) + 1
    return all
      .slice(start)
      .filter((job) => owner === undefined || job.order.owner === owner)
      .filter((job) => states === undefined || states.includes(job.state))
      .slice(0, limit)
  }

  async placeInLine(id: string) {
    const lane = this.#records.get(id)?.job.order.lane
    const line = this.#pending().filter(({ job }) => job.order.lane === lane)
    const place = line.findIndex(({ job }) => job.order.id === id)
    return place < 0 ? undefined : place
  }

  async counts(): Promise<JobCounts> {
    const jobs = [...this.#records.values()].map(({ job }) => job)
    const countOf = (lane: Lane) =>
      Object.fromEntries(
        JOB_STATES.map((state) => [
          state,
          jobs.filter((job) => job.order.lane === lane && job.state === state).length,
        ]),
      )
    return Object.fromEntries(LANES.map((lane) => [lane, countOf(lane)])) as JobCounts
  }

  async claim(lane: Lane, signal: AbortSignal): Promise<Lease> {
    for (;;) {
      signal.throwIfAborted()
      const record = this.#pending().find(({ job }) => job.order.lane === lane)
      if (record) return this.#lease(record)
      const changed = new Promise<void>((resolve) => this.#changes.once('change', resolve))
      await until(changed, signal)
    }
  }

  async cancel(id: string) {
    const record = this.#records.get(id)
    if (!record) return undefined
    if (hasEnded(record.job)) return { job: record.job, isCancelled: false }
    this.#end(record, { state: 'cancelled' })
    return { job: record.job, isCancelled: true }
  }

  async retry(id: string) {
    const record = this.#records.get(id)
    if (!record || !['failed', 'cancelled'].includes(record.job.state)) return undefined
    const { endedAtMs: _end, failure: _failure, ...job } = record.job
    record.job = { ...job, state: 'pending' }
    this.#tell(record, { kind: 'state', state: 'pending' })
    return record.job
  }

  async forget(id: string) {
    this.#records.get(id)?.holder?.abort(new Error('the job is forgotten'))
    this.#records.delete(id)
    this.#changes.emit('change')
  }

  async endedBefore(atMs: number, limit: number) {
    const ended = [...this.#records.values()].map(({ job }) => job).filter(hasEnded)
    return ended.filter(({ endedAtMs = Infinity }) => endedAtMs < atMs).slice(0, limit)
  }

  /** How many read events now. */
  get readers(): number {
    return this.#changes.listenerCount('change')
  }

  async *events(id: string, after: number, signal: AbortSignal) {
    signal.throwIfAborted()
    const changes = on(this.#changes, 'change', { signal })
    try {
      let told = after
      for (;;) {
        const record = this.#records.get(id)
        const next = record?.events.find(({ number }) => number > told)
        if (next) {
          told = next.number
          yield next
        } else if (!record || hasEnded(record.job)) return
        else await changes.next()
      }
    } catch (error) {
      signal.throwIfAborted() // Node's own error says only that it was aborted
      throw error
    } finally {
      await changes.return?.()
    }
  }

  async windows(id: string) {
    return this.#records.get(id)?.windows ?? []
  }

  async lastWindows(id: string, most: number) {
    return (await this.windows(id)).slice(-most)
  }

  async isReachable() {
    return true
  }

  async [Symbol.asyncDispose]() {}

  #pending(): Record[] {
    return [...this.#records.values()].filter(({ job }) => job.state === 'pending')
  }

  #lease(record: Record): Lease {
    const holder = new AbortController()
    const { job } = record
    record.holder = holder
    record.job = { ...job, state: 'processing', attempts: job.attempts + 1 }
    record.job = { startedAtMs: this.nowMs, ...record.job }
    this.#tell(record, { kind: 'state', state: 'processing' })
    const whileHeld = async (act: () => void) => {
      if (record.holder !== holder || holder.signal.aborted) return false
      act()
      return true
    }
    const release = async () => {
      await whileHeld(() => {
        record.holder = undefined
        record.job = { ...record.job, state: 'pending', attempts: record.job.attempts - 1 }
        this.#tell(record, { kind: 'state', state: 'pending' })
      })
    }
    return {
      job: record.job,
      lost: holder.signal,
      lengthIs: (durationSeconds) => whileHeld(() => (record.job = { ...record.job, durationSeconds })),
      finishedWindow: (window) =>
        whileHeld(() => {
          const { processedSeconds, durationSeconds } = window
          record.windows.push(window)
          record.job = { ...record.job, processedSeconds, durationSeconds }
          this.#tell(record, { kind: 'window', window })
        }),
      complete: (resultKey) => whileHeld(() => this.#end(record, { state: 'completed', resultKey })),
      fail: (failure) => whileHeld(() => this.#end(record, { state: 'failed', failure })),
      release,
      [Symbol.asyncDispose]: release,
    }
  }

  #end(record: Record, ending: Pick<Job, 'state' | 'failure' | 'resultKey'>): void {
    const { holder } = record
    record.holder = undefined
    record.job = { ...record.job, ...ending, endedAtMs: this.nowMs }
    const { state, failure } = ending
    this.#tell(record, { kind: 'state', state, ...(failure && { failure }) })
    if (state === 'cancelled') holder?.abort(new Error('the job was cancelled'))
  }

  #tell(record: Record, event: JobEvent): void {
    record.events.push({ number: record.events.length + 1, event })
    this.#changes.emit('change')
  }
}
