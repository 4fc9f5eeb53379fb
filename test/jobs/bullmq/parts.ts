// What the tests of this driver share: queues on a server, under a prefix of the test's own, and a look at the keys themselves.
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { type BullQueueOptions, openBullQueue } from '../../../src/jobs/bullmq/open.ts'
import type { JobQueue } from '../../../src/jobs/job-queue.ts'
import { createLog } from '../../../src/log.ts'
import type { RedisServer } from '../redis-server.ts'

export interface Site extends AsyncDisposable {
  readonly prefix: string
  /** Straight at the keys. */
  readonly redis: Redis
  open(options?: Partial<BullQueueOptions>): Promise<JobQueue>
}

export const NO_REDIS = 'there is no redis-server: scripts/setup.mjs --dev fetches one where apt is'

export function siteOn(server: RedisServer): Site {
  const parts = new AsyncDisposableStack()
  const prefix = `test-${randomUUID()}`
  const redis = parts.adopt(new Redis(server.url, { maxRetriesPerRequest: null }), (one) => one.disconnect())
  // A server that is ended in the middle of a test is no news.
  redis.on('error', () => undefined)
  return {
    prefix,
    redis,
    open: async (options = {}) =>
      parts.use(
        await openBullQueue({ url: server.url, prefix, log: createLog('silent'), sweepMs: 50, ...options }),
      ),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

export function lostOf({ lost }: { readonly lost: AbortSignal }): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (lost.aborted) resolve()
  lost.addEventListener('abort', () => resolve(), { once: true })
  return promise
}
