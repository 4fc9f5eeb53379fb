/**
 * What may happen to a kept job, each a whole transaction with the events that tell of it. It decides who gets which job and
 * what becomes of it when it is let go or lost; waiting, waking and leases as objects are the queue's and the lease's.
 */
import { abandonment } from '../abandoned.ts'
import type { FinishedWindow, Job, JobFailure, JobOrder, JobState, Lane } from '../job.ts'
import { hasEnded } from '../job.ts'
import { EventTable } from './event-table.ts'
import { HolderTable } from './holder-table.ts'
import { type JobEnd, JobTable, type LeaseMark } from './job-table.ts'
import type { JobsFile } from './jobs-file.ts'
import type { Machine } from './machine.ts'
import type { KeptJob } from './rows.ts'

export interface KeptJobsParts {
  readonly machine: Machine
  readonly leaseMs: number
  readonly mostAttemptsWithoutProgress: number
  /** By the wall clock: what people are told, and nothing else. */
  readonly nowMs: () => number
}

export class KeptJobs {
  readonly jobs: JobTable
  readonly events: EventTable
  readonly holders: HolderTable
  readonly #file: JobsFile
  readonly #parts: KeptJobsParts

  constructor(file: JobsFile, parts: KeptJobsParts) {
    this.#file = file
    this.#parts = parts
    this.jobs = new JobTable(file)
    this.events = new EventTable(file)
    this.holders = new HolderTable(file, parts.machine, parts.leaseMs)
  }

  add(order: JobOrder): Promise<{ job: Job; isNew: boolean }> {
    return this.#file.write(() => {
      const key = order.idempotencyKey
      const earlier = key === undefined ? undefined : this.jobs.byKey(order.owner, key)
      if (earlier) return { job: earlier.job, isNew: false }
      const { sequence, job } = this.jobs.insert(order)
      this.#tell(sequence, 'pending')
      return { job, isNew: true }
    })
  }

  /** Undefined: none is pending in this lane. */
  async claim(lane: Lane): Promise<KeptJob | undefined> {
    // Whoever looks in vain keeps nobody from writing.
    if ((await this.#file.read(() => this.jobs.next(lane))) === undefined) return undefined
    return this.#file.write(() => {
      const sequence = this.jobs.next(lane)
      if (sequence === undefined) return undefined
      this.holders.renew()
      const begun = this.jobs.begin(sequence, this.holders.id, this.#parts.nowMs())
      this.#tell(sequence, 'processing')
      return begun
    })
  }

  lengthIs(mark: LeaseMark, durationSeconds: number): Promise<boolean> {
    return this.#file.write(() => this.jobs.lengthIs(mark, durationSeconds) !== undefined)
  }

  finishedWindow(mark: LeaseMark, window: FinishedWindow): Promise<boolean> {
    return this.#file.write(() => {
      const kept = this.jobs.finishedWindow(mark, window)
      if (kept) this.events.append(kept.sequence, { kind: 'window', window })
      return kept !== undefined
    })
  }

  end(mark: LeaseMark, end: JobEnd): Promise<boolean> {
    return this.#file.write(() => {
      const kept = this.jobs.held(mark)
      if (kept) this.#end(kept.sequence, end)
      return kept !== undefined
    })
  }

  letGo(mark: LeaseMark): Promise<boolean> {
    return this.#file.write(() => {
      const kept = this.jobs.held(mark)
      if (!kept) return false
      this.jobs.letGo(kept.sequence)
      this.#tell(kept.sequence, 'pending')
      return true
    })
  }

  cancel(id: string): Promise<{ job: Job; isCancelled: boolean } | undefined> {
    return this.#file.write(() => {
      const kept = this.jobs.byId(id)
      if (!kept || hasEnded(kept.job)) return kept && { job: kept.job, isCancelled: false }
      return { job: this.#end(kept.sequence, { state: 'cancelled' }), isCancelled: true }
    })
  }

  retry(id: string): Promise<Job | undefined> {
    return this.#file.write(() => {
      const kept = this.jobs.tryAgain(id)
      if (kept) this.#tell(kept.sequence, 'pending')
      return kept?.job
    })
  }

  inHand(): Promise<KeptJob[]> {
    return this.#file.read(() => this.jobs.heldBy(this.holders.id))
  }

  /** Renews this connection's leases, and says which of them it still holds. */
  renew(): Promise<KeptJob[]> {
    return this.#file.write(() => {
      this.holders.renew()
      return this.jobs.heldBy(this.holders.id)
    })
  }

  /** Takes the jobs of those who are not there any more out of their hands, and says which. */
  async takeBack(): Promise<Job[]> {
    if ((await this.#file.read(() => this.holders.void())).length === 0) return []
    return this.#file.write(() => this.holders.void().flatMap(({ id }) => this.#takeBackFrom(id)))
  }

  leave(): Promise<void> {
    return this.#file.write(() => {
      this.#takeBackFrom(this.holders.id)
    })
  }

  #takeBackFrom(holder: string): Job[] {
    const lost = this.jobs.heldBy(holder)
    for (const { sequence, barrenAttempts } of lost) {
      if (barrenAttempts >= this.#parts.mostAttemptsWithoutProgress) {
        this.#end(sequence, { state: 'failed', failure: abandonment(barrenAttempts) })
      } else {
        this.jobs.returned(sequence)
        this.#tell(sequence, 'pending')
      }
    }
    this.holders.remove(holder)
    return lost.map(({ job }) => job)
  }

  #end(sequence: number, end: JobEnd): Job {
    const { job } = this.jobs.end(sequence, end, this.#parts.nowMs())
    this.#tell(sequence, end.state, end.failure)
    return job
  }

  #tell(sequence: number, state: JobState, failure?: JobFailure): void {
    this.events.append(sequence, { kind: 'state', state, ...(failure && { failure }) })
  }
}
