/**
 * What job-queue.ts promises, as tests, for every driver alike. Each driver's test file calls this with a way to open it.
 * What happens to real processes that are killed is in crash-contract.ts.
 */
import { describe } from 'vitest'
import type { JobQueue } from '../../src/jobs/job-queue.ts'
import { addingContract } from './contract/adding.ts'
import { claimingContract } from './contract/claiming.ts'
import { endingContract } from './contract/ending.ts'
import { eventsContract } from './contract/events.ts'
import { leasesContract } from './contract/leases.ts'
import { listingContract } from './contract/listing.ts'

export interface QueueUnderTest extends AsyncDisposable {
  readonly queue: JobQueue
  /** A connection to the same jobs, as another process would have. Closed with the first. */
  openAnother(): Promise<JobQueue>
  /**
   * This connection does not keep its leases any more, and the others take it for dead, at once or very soon. It does not
   * know, and what it says from now on comes too late. (A process that stood still for longer than a lease holds.)
   */
  standStill(queue: JobQueue): Promise<void>
}

/** Empty, with no more than that many attempts without progress (abandoned.ts), and with a wall clock that the test may set. */
export type OpenQueue = (settings: {
  readonly mostAttemptsWithoutProgress: number
  readonly nowMs: () => number
}) => Promise<QueueUnderTest>

export type OpenDefault = (nowMs?: () => number) => Promise<QueueUnderTest>

export function queueContract(name: string, open: OpenQueue): void {
  const openDefault: OpenDefault = (nowMs = Date.now) => open({ mostAttemptsWithoutProgress: 3, nowMs })

  describe(`the contract of the queue, kept by ${name}`, () => {
    addingContract(openDefault)
    listingContract(openDefault)
    claimingContract(openDefault)
    leasesContract(openDefault)
    endingContract(openDefault)
    eventsContract(openDefault)
  })
}
