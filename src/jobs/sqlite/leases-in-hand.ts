/** All jobs that this process holds: they are renewed, lost and let go together. Who gets them, and what is done with them, is decided elsewhere. */
import type { Log } from '../../log.ts'
import type { Job } from '../job.ts'
import type { KeptJobs } from './kept-jobs.ts'
import { type LeaseParts, SqliteLease } from './lease.ts'
import type { KeptJob } from './rows.ts'

export interface LeasesInHandParts {
  readonly kept: LeaseParts['kept'] & Pick<KeptJobs, 'letGo' | 'renew' | 'inHand'>
  readonly log: Log
  /** Something was written of the job that its readers wait for. */
  readonly onTold: (job: Job) => void
  readonly onPending: (job: Job) => void
}

export class LeasesInHand {
  readonly #parts: LeasesInHandParts
  readonly #leases = new Set<SqliteLease>()
  /** Nobody works on these any more, and that could not be written yet. */
  readonly #unsaid = new Set<SqliteLease>()

  constructor(parts: LeasesInHandParts) {
    this.#parts = parts
  }

  take(claimed: KeptJob): SqliteLease {
    const { kept, onTold } = this.#parts
    const lease = new SqliteLease(claimed, {
      kept,
      onTold,
      letGo: (over) => this.#letGo(over),
      onOver: (over) => this.#leases.delete(over),
    })
    this.#leases.add(lease)
    return lease
  }

  /** Never throws: what is not renewed in time is lost, and told so when it next says something. */
  async renew(): Promise<void> {
    if (this.#leases.size === 0) return
    try {
      await this.#keepOnly(() => this.#parts.kept.renew())
    } catch (error) {
      this.#parts.log.warn('leases could not be renewed', { error, jobs: this.#leases.size })
    }
  }

  /** Loses what others have taken away, and lets go what could not be let go before. */
  async catchUp(): Promise<void> {
    for (const lease of this.#unsaid) await this.#letGo(lease)
    if (this.#leases.size > 0) await this.#keepOnly(() => this.#parts.kept.inHand())
  }

  loseJob(id: string): void {
    for (const lease of this.#leases) if (lease.mark.id === id) lease.lose()
  }

  async letAllGo(): Promise<void> {
    for (const lease of this.#leases) await lease.release()
  }

  /** Those that were handed out before it was asked which are held: of later ones the answer says nothing. */
  async #keepOnly(askWhichAreHeld: () => Promise<readonly KeptJob[]>): Promise<void> {
    const leases = [...this.#leases]
    const tokens = new Map((await askWhichAreHeld()).map(({ job, token }) => [job.order.id, token]))
    for (const lease of leases) if (tokens.get(lease.mark.id) !== lease.mark.token) lease.lose()
  }

  async #letGo(lease: SqliteLease): Promise<void> {
    const { kept, log, onPending } = this.#parts
    try {
      const isLetGo = await kept.letGo(lease.mark)
      this.#unsaid.delete(lease)
      if (isLetGo) onPending(lease.job)
    } catch (error) {
      // Other jobs are still held under our name, so nobody would take this one back.
      if (!this.#unsaid.has(lease)) log.warn('a job is let go later', { job: lease.mark.id, error })
      this.#unsaid.add(lease)
    }
  }
}
