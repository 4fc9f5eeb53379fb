// The contract of all drivers, with BullMQ on a real Redis and on a real Valkey. Each test has keys of its own.
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe } from 'vitest'
import type { JobQueue } from '../../../src/jobs/job-queue.ts'
import { openBullQueue } from '../../../src/jobs/bullmq/open.ts'
import { createLog } from '../../../src/log.ts'
import { type OpenQueue, queueContract } from '../queue-contract.ts'
import { REDIS, type RedisServer, startRedis, VALKEY } from '../redis-server.ts'
import { NO_REDIS } from './parts.ts'

/** Nobody ends it here, and a thousand jobs are some ten thousand writes. */
const QUICK = { appendfsync: 'no' }
const log = createLog('silent')

/** What a connection has claimed, so that it can be taken for dead. */
function watched(queue: JobQueue, claimed: Set<string>): JobQueue {
  return new Proxy(queue, {
    get(target, name) {
      const member = Reflect.get(target, name, target) as unknown
      if (typeof member !== 'function') return member
      if (name !== 'claim') return member.bind(target) as unknown
      return async (...args: Parameters<JobQueue['claim']>) => {
        const lease = await target.claim(...args)
        claimed.add(`${args[0]}:${lease.job.order.id}`)
        return lease
      }
    },
  })
}

const openOn =
  (url: () => string): OpenQueue =>
  async ({ mostAttemptsWithoutProgress, nowMs }) => {
    const prefix = `test-${randomUUID()}`
    const parts = new AsyncDisposableStack()
    const control = parts.adopt(new Redis(url()), (redis) => redis.disconnect())
    const claims = new Map<JobQueue, Set<string>>()
    const openAnother = async () => {
      const settings = { url: url(), prefix, log, mostAttemptsWithoutProgress, nowMs, sweepMs: 50 }
      const claimed = new Set<string>()
      const queue = watched(parts.use(await openBullQueue(settings)), claimed)
      claims.set(queue, claimed)
      return queue
    }
    return {
      queue: await openAnother(),
      openAnother,
      // Its locks run out, as if nobody had refreshed them.
      standStill: async (still) => {
        const locks = [...(claims.get(still) ?? [])].map((claimed) => `${prefix}:${claimed}:lock`)
        await control.del(...locks)
      },
      [Symbol.asyncDispose]: () => parts.disposeAsync(),
    }
  }

const SERVERS = [
  { name: 'redis', program: REDIS, without: NO_REDIS },
  { name: 'valkey', program: VALKEY, without: 'there is no valkey-server for this machine' },
]

describe.for(SERVERS)('$name', ({ name, program, without }) => {
  describe.skipIf(program === undefined)(`${program ? 'is there' : `is skipped: ${without}`}`, () => {
    let server: RedisServer
    beforeAll(async () => {
      server = await startRedis(QUICK, program)
    })
    afterAll(() => server?.[Symbol.asyncDispose]())

    queueContract(
      `BullMQ on ${name}`,
      openOn(() => server.url),
    )
  })
})
