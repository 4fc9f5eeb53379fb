/** A job in this process' hands: what its worker says is written only as long as it is there. */
import type { FinishedWindow, Job, JobFailure } from '../job.ts'
import type { Lease } from '../job-queue.ts'
import type { JobEnd, LeaseMark } from './job-table.ts'
import type { KeptJobs } from './kept-jobs.ts'
import type { KeptJob } from './rows.ts'

export interface LeaseParts {
  readonly kept: KeptJobs
  /** Something has been written of the job that others may wait for. */
  readonly onChange: (job: Job) => void
  /** The lease is over, for whatever reason. */
  readonly onOver: (lease: SqliteLease) => void
}

export class SqliteLease implements Lease {
  readonly job: Job
  readonly mark: LeaseMark
  readonly #lost = new AbortController()
  readonly #parts: LeaseParts
  #isOver = false

  constructor({ job, token }: KeptJob, parts: LeaseParts) {
    this.job = job
    this.mark = { id: job.order.id, token }
    this.#parts = parts
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  lengthIs(durationSeconds: number): Promise<boolean> {
    return this.#say(this.#parts.kept.lengthIs(this.mark, durationSeconds))
  }

  finishedWindow(window: FinishedWindow): Promise<boolean> {
    return this.#say(this.#parts.kept.finishedWindow(this.mark, window))
  }

  complete(resultKey: string): Promise<boolean> {
    return this.#sayLast({ state: 'completed', resultKey })
  }

  fail(failure: JobFailure): Promise<boolean> {
    return this.#sayLast({ state: 'failed', failure })
  }

  async release(): Promise<void> {
    if (this.#isOver) return
    const isLetGo = await this.#parts.kept.letGo(this.mark)
    this.#end()
    if (isLetGo) this.#parts.onChange(this.job)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  /** Somebody else has the job now, or nobody. */
  lose(): void {
    if (this.#isOver) return
    this.#end()
    this.#lost.abort(new Error(`the job ${this.mark.id} is not in this worker's hands any more`))
  }

  async #say(isSaid: Promise<boolean>): Promise<boolean> {
    if (!(await isSaid)) {
      this.lose()
      return false
    }
    this.#parts.onChange(this.job)
    return true
  }

  async #sayLast(end: JobEnd): Promise<boolean> {
    const isSaid = await this.#say(this.#parts.kept.end(this.mark, end))
    if (isSaid) this.#end()
    return isSaid
  }

  #end(): void {
    this.#isOver = true
    this.#parts.onOver(this)
  }
}
