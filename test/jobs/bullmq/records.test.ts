// The scripts by themselves, asked by a worker that has not heard yet that its lease is another's. A lease object would not ask.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { redisAddress } from '../../../src/jobs/bullmq/address.ts'
import { Records } from '../../../src/jobs/bullmq/records.ts'
import { RedisDoor } from '../../../src/jobs/bullmq/redis-door.ts'
import { loadScripts } from '../../../src/jobs/bullmq/scripts.ts'
import { createLog } from '../../../src/log.ts'
import { aFailure, anOrder, aWindow } from '../orders.ts'
import { REDIS, type RedisServer, startRedis } from '../redis-server.ts'
import { NO_REDIS } from './parts.ts'

const PATIENCE_MS = 10_000
const [OLD, NEW] = ['the old lease', 'the new lease']

describe.skipIf(REDIS === undefined)(`records${REDIS ? '' : ` (skipped: ${NO_REDIS})`}`, () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  async function start() {
    const log = createLog('silent')
    const address = redisAddress(server.url)
    const door = new RedisDoor({ address, log, patienceMs: PATIENCE_MS, scripts: loadScripts() })
    const settings = { prefix: `test-${randomUUID()}`, mostAttemptsWithoutProgress: 9, nowMs: () => 7 }
    const records = new Records(door, settings)
    const { job } = await records.add(anOrder())
    return { records, id: job.order.id, [Symbol.asyncDispose]: () => door[Symbol.asyncDispose]() }
  }

  test('what an old lease says of a job that is another’s by now is refused, and changes nothing', async () => {
    await using parts = await start()
    const { records, id } = parts
    await records.claim(id, OLD)
    await records.finishedWindow(id, OLD, aWindow(0), PATIENCE_MS)
    await records.claim(id, NEW) // its ticket had come to another worker
    const before = [await records.find(id), await records.eventsAfter(id, 0)]

    const said = [
      await records.holds(id, OLD, PATIENCE_MS),
      await records.lengthIs(id, OLD, 99, PATIENCE_MS),
      await records.finishedWindow(id, OLD, aWindow(1), PATIENCE_MS),
      await records.finish(id, OLD, { state: 'completed', resultKey: 'old' }, PATIENCE_MS),
      await records.finish(id, OLD, { state: 'failed', failure: aFailure() }, PATIENCE_MS),
      await records.release(id, OLD, PATIENCE_MS),
    ]

    expect(said).toEqual([false, false, false, false, false, false])
    expect([await records.find(id), await records.eventsAfter(id, 0)]).toEqual(before)
    expect(await records.holds(id, NEW, PATIENCE_MS)).toBe(true)
    const end = { state: 'completed', resultKey: 'new' } as const
    expect(await records.finish(id, NEW, end, PATIENCE_MS)).toBe(true)
    expect(await records.finish(id, NEW, end, PATIENCE_MS)).toBe(true) // the answer was lost: asked again
    expect(await records.finish(id, OLD, { state: 'completed', resultKey: 'old' }, PATIENCE_MS)).toBe(false)
    expect(await records.find(id)).toMatchObject({ state: 'completed', resultKey: 'new' })
    const { events } = await records.eventsAfter(id, 0)
    expect(events.filter(({ event }) => event.kind === 'state' && event.state === 'completed')).toHaveLength(
      1,
    )
  })

  test('what a lease says of a job that was cancelled or forgotten is refused', async () => {
    await using parts = await start()
    const { records, id } = parts
    await records.claim(id, OLD)
    await records.cancel(id)
    expect(await records.finishedWindow(id, OLD, aWindow(0), PATIENCE_MS)).toBe(false)
    expect(await records.finish(id, OLD, { state: 'completed', resultKey: 'old' }, PATIENCE_MS)).toBe(false)
    expect(await records.find(id)).toMatchObject({ state: 'cancelled' })

    await records.forget(id)

    expect(await records.finishedWindow(id, OLD, aWindow(0), PATIENCE_MS)).toBe(false)
    expect(await records.finish(id, OLD, { state: 'completed', resultKey: 'old' }, PATIENCE_MS)).toBe(false)
    expect(await records.find(id)).toBeUndefined()
  })
})
