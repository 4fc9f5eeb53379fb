/**
 * The two lines of tickets as BullMQ's own objects, for a page that shows them (http/admin/bull-board.ts). They have a
 * connection of their own, so that whoever looks at a long line keeps nobody from working.
 */
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { LANES } from '../job.ts'
import { redisAddress, USUAL_PREFIX } from './address.ts'
import { hangUp, RECONNECTING } from './redis-door.ts'

export interface TicketLines extends AsyncDisposable {
  readonly queues: readonly Queue[]
}

/** How often a question of the page is asked again while Redis is away, before the page is told so. */
const RETRIES = 2

export function openTicketLines(options: { readonly url: string; readonly prefix?: string }): TicketLines {
  const { url, prefix = USUAL_PREFIX } = options
  const address = redisAddress(url)
  const redis = new Redis({ ...address.options, ...RECONNECTING, maxRetriesPerRequest: RETRIES })
  // The queue's own connection tells of outages.
  redis.on('error', () => undefined)
  const shared = {
    connection: redis,
    prefix,
    skipVersionCheck: true,
    skipWaitingForReady: true,
    skipMetasUpdate: true,
  }
  const queues = LANES.map((lane) => new Queue(lane, shared))
  for (const queue of queues) queue.on('error', () => undefined)
  return {
    queues,
    async [Symbol.asyncDispose]() {
      await Promise.all(queues.map((queue) => queue.close()))
      await hangUp(redis)
    },
  }
}
