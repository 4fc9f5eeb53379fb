/** A job in this process' hands: what its worker says is written only as long as it is there. */
import type { FinishedWindow, Job, JobFailure } from '../job.ts'
import type { Lease } from '../job-queue.ts'
import type { JobEnd, LeaseMark } from './job-table.ts'
import type { KeptJobs } from './kept-jobs.ts'
import type { KeptJob } from './rows.ts'

export interface LeaseParts {
  readonly kept: Pick<KeptJobs, 'lengthIs' | 'finishedWindow' | 'end'>
  /** Something was written of the job that its readers wait for. */
  readonly onTold: (job: Job) => void
  /** Makes the job pending again, now or, if that cannot be written now, as soon as it can. Never throws. */
  readonly letGo: (lease: SqliteLease) => Promise<void>
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
    return this.#say(() => this.#parts.kept.lengthIs(this.mark, durationSeconds))
  }

  finishedWindow(window: FinishedWindow): Promise<boolean> {
    return this.#say(() => this.#parts.kept.finishedWindow(this.mark, window))
  }

  complete(resultKey: string): Promise<boolean> {
    return this.#sayLast({ state: 'completed', resultKey })
  }

  fail(failure: JobFailure): Promise<boolean> {
    return this.#sayLast({ state: 'failed', failure })
  }

  async release(): Promise<void> {
    if (this.#isOver) return
    this.#end()
    await this.#parts.letGo(this)
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

  async #say(write: () => Promise<boolean>): Promise<boolean> {
    const isSaid = !this.#isOver && (await write())
    if (isSaid) this.#parts.onTold(this.job)
    else this.lose()
    return isSaid
  }

  async #sayLast(end: JobEnd): Promise<boolean> {
    const isSaid = await this.#say(() => this.#parts.kept.end(this.mark, end))
    if (isSaid) this.#end()
    return isSaid
  }

  #end(): void {
    this.#isOver = true
    this.#parts.onOver(this)
  }
}
