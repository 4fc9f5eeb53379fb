/**
 * A job in this process's hands: its ticket's lock is kept fresh, and everything said of it is written only while the
 * record knows our token. It is lost when the record or the lock says so, or when neither could be asked in time.
 */
import type { Log } from '../../log.ts'
import type { FinishedWindow, Job, JobFailure } from '../job.ts'
import type { Lease } from '../job-queue.ts'
import type { News } from './news.ts'
import type { JobEnd, Records } from './records.ts'
import { isUnreachable } from './redis-door.ts'
import type { Tickets } from './tickets.ts'

export interface LeaseParts {
  readonly records: Records
  readonly tickets: Tickets
  readonly news: News
  readonly log: Log
  /** Adds the ticket of that job if it is pending and has none. */
  mend(id: string): Promise<void>
}

/** How often a lock is refreshed before it would run out. */
const REFRESHES = 3

/** Who leaves does not wait for a Redis that is away: the lock runs out by itself. */
const RELEASING_MS = 5_000

export class BullLease implements Lease {
  readonly job: Job
  readonly #token: string
  readonly #parts: LeaseParts
  readonly #losing = new AbortController()
  /** What ends the looking after it: said or lost, whichever comes first. */
  readonly #over = new AbortController()
  #isEnding = false
  #deadlineMs: number
  #deadline: NodeJS.Timeout | undefined

  constructor(job: Job, token: string, fetchedAtMs: number, parts: LeaseParts) {
    this.job = job
    this.#token = token
    this.#parts = parts
    this.#deadlineMs = fetchedAtMs + parts.tickets.lockMs
    this.#setDeadline()
    void this.#lookAfterIt()
  }

  get lost(): AbortSignal {
    return this.#losing.signal
  }

  lengthIs(durationSeconds: number): Promise<boolean> {
    const { records } = this.#parts
    return this.#write((id, token, patience) => records.lengthIs(id, token, durationSeconds, patience))
  }

  finishedWindow(window: FinishedWindow): Promise<boolean> {
    const { records } = this.#parts
    return this.#write((id, token, patience) => records.finishedWindow(id, token, window, patience))
  }

  complete(resultKey: string): Promise<boolean> {
    return this.#finish({ state: 'completed', resultKey })
  }

  fail(failure: JobFailure): Promise<boolean> {
    return this.#finish({ state: 'failed', failure })
  }

  async #finish(end: JobEnd): Promise<boolean> {
    const { records } = this.#parts
    return await this.#end(
      (id, token, patience) => records.finish(id, token, end, patience),
      () => this.#dropTicket(),
    )
  }

  async release(): Promise<void> {
    const { records, tickets, news } = this.#parts
    await this.#end(
      (id, token, patience) => records.release(id, token, Math.min(patience, RELEASING_MS)),
      async () => {
        await tickets.giveBack(this.job.order.id, this.#token)
        await news.tell(`lane:${tickets.lane}`)
      },
    )
  }

  /** The record first, then the ticket; a ticket that is left behind is found when its lock has run out. */
  async #end(
    write: (id: string, token: string, patienceMs: number) => Promise<boolean>,
    afterwards: () => Promise<void>,
  ): Promise<boolean> {
    this.#isEnding = true
    try {
      if (!(await this.#write(write))) return false
      this.#stopLooking()
    } finally {
      this.#isEnding = false
    }
    await afterwards().catch((error: unknown) => this.#tell('a ticket was left behind', error))
    return true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  async #write(write: (id: string, token: string, patienceMs: number) => Promise<boolean>): Promise<boolean> {
    if (this.#over.signal.aborted) return false
    const isHeld = await this.#ask(write)
    if (isHeld !== true) this.#lose({ isTold: isHeld === false })
    return isHeld === true
  }

  /** As long as the lock lasts. Undefined: nobody could be asked until then. */
  async #ask<Answer>(
    question: (id: string, token: string, patienceMs: number) => Promise<Answer>,
  ): Promise<Answer | undefined> {
    try {
      return await question(this.job.order.id, this.#token, this.#deadlineMs - performance.now())
    } catch (error) {
      if (!isUnreachable(error)) throw error
      this.#tell('a lease could not be kept', error)
      return undefined
    }
  }

  async #lookAfterIt(): Promise<void> {
    const { news, tickets } = this.#parts
    const { signal } = this.#over
    using bell = news.listen(`lease:${this.job.order.id}`)
    try {
      while (!signal.aborted) {
        await bell.heard(tickets.lockMs / REFRESHES, signal)
        await this.#refresh()
      }
    } catch (error) {
      if (signal.aborted) return
      this.#tell('a lease could not be looked after', error)
      this.#lose({ isTold: false })
    }
  }

  async #refresh(): Promise<void> {
    const { records, tickets } = this.#parts
    const askedAtMs = performance.now()
    const isHeld = await this.#ask((id, token, patienceMs) => records.holds(id, token, patienceMs))
    // The answer to what is being said at this moment decides, not this one.
    if (this.#isEnding || this.#over.signal.aborted) return
    if (isHeld !== true) return this.#lose({ isTold: isHeld === false })
    const isLocked = await this.#ask((id, token, patienceMs) => tickets.keep(id, token, patienceMs))
    if (this.#isEnding || this.#over.signal.aborted) return
    if (isLocked !== true) return this.#lose({ isTold: false })
    this.#deadlineMs = askedAtMs + tickets.lockMs
    this.#setDeadline()
  }

  #setDeadline(): void {
    clearTimeout(this.#deadline)
    if (this.#over.signal.aborted) return
    this.#deadline = setTimeout(() => this.#lose({ isTold: false }), this.#deadlineMs - performance.now())
  }

  /** `isTold`: the record does not know our token any more. Then the ticket is nobody's, or another's and not ours to drop. */
  #lose({ isTold }: { readonly isTold: boolean }): void {
    if (this.#over.signal.aborted) return
    this.#stopLooking()
    this.#losing.abort(new Error(`the lease of job ${this.job.order.id} was lost`))
    if (isTold)
      void this.#dropTicket().catch((error: unknown) => this.#tell('a ticket was left behind', error))
  }

  async #dropTicket(): Promise<void> {
    const { id } = this.job.order
    await this.#parts.tickets.drop(id, this.#token)
    // It may have been tried again in between, and found its old ticket still there.
    await this.#parts.mend(id)
  }

  #stopLooking(): void {
    clearTimeout(this.#deadline)
    this.#over.abort()
  }

  #tell(message: string, error: unknown): void {
    this.#parts.log.debug(message, { job: this.job.order.id, error })
  }
}
