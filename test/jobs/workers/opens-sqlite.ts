/** How the small processes open the queue in a SQLite file. */
import type { JobQueue } from '../../../src/jobs/job-queue.ts'
import { openSqliteQueue } from '../../../src/jobs/sqlite/queue.ts'
import { createLog } from '../../../src/log.ts'

export function openQueue(settings: {
  path: string
  mostAttemptsWithoutProgress: number
}): Promise<JobQueue> {
  return openSqliteQueue({ log: createLog('error'), pollEveryMs: 10, ...settings })
}
