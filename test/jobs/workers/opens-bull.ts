/** How the small processes open the queue on Redis. */
import { openBullQueue } from '../../../src/jobs/bullmq/open.ts'
import type { JobQueue } from '../../../src/jobs/job-queue.ts'
import { createLog } from '../../../src/log.ts'

/** A dead worker is taken for dead after a little more than half a second. */
const SHORT = { lockMs: 500, sweepMs: 50 }

export function openQueue(settings: {
  url: string
  prefix: string
  lockMs?: number
  mostAttemptsWithoutProgress?: number
}): Promise<JobQueue> {
  return openBullQueue({ log: createLog('error'), ...SHORT, ...settings })
}
