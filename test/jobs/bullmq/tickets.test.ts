// Tickets and records are two things. What is left when something came between them is mended.
import { Queue, QueueEvents } from 'bullmq'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addAll, anOrder, claimNow, comesTo } from '../orders.ts'
import { REDIS, type RedisServer, startRedis } from '../redis-server.ts'
import { NO_REDIS, type Site, siteOn } from './parts.ts'

/** As if the process had ended before it wrote them. */
async function loseTickets({ redis, prefix }: Site): Promise<void> {
  await redis.del(...(await redis.keys(`${prefix}:batch:*`)))
}

function boardOf({ redis, prefix }: Site): AsyncDisposable & { readonly queue: Queue } {
  const queue = new Queue('batch', { connection: redis, prefix })
  return { queue, [Symbol.asyncDispose]: () => queue.close() }
}

describe.skipIf(REDIS === undefined)(`tickets and records${REDIS ? '' : ` (skipped: ${NO_REDIS})`}`, () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('the list that a scaler looks at is as long as the line', async () => {
    await using site = siteOn(server)
    const queue = await site.open()
    const length = () => site.redis.llen(`${site.prefix}:batch:wait`)
    const [, second, third] = await addAll(queue, [anOrder(), anOrder(), anOrder()])
    expect(await length()).toBe(3)

    const lease = await claimNow(queue)
    expect(await length()).toBe(2)
    await queue.cancel(second?.id ?? '')
    await queue.forget(third?.id ?? '')
    expect(await length()).toBe(0)
    await lease.release()
    expect(await length()).toBe(1)
  })

  test('nothing is left of jobs that were worked on and forgotten but a few keys that grow no more', async () => {
    await using site = siteOn(server)
    const queue = await site.open()
    // BullMQ's own clock for stalled tickets, which runs out and is set again whenever it likes.
    const isLasting = (key: string) => !key.endsWith(':stalled-check')
    const keys = async () => (await site.redis.keys(`${site.prefix}:*`)).filter(isLasting).toSorted()
    const live = async () => {
      await queue.add(anOrder({ owner: 'anna', idempotencyKey: 'k' }))
      const lease = await claimNow(queue)
      await lease.complete('r')
      await queue.forget(lease.job.order.id)
    }
    await live()
    const before = await keys()

    await live()

    expect(await keys()).toEqual(before)
    expect(before.filter((key) => key.includes(':job:') || key.includes(':events:'))).toEqual([])
  })

  test('a pending job without a ticket is given one when a process opens the queue', async () => {
    await using site = siteOn(server)
    const { id } = (await (await site.open({ sweepMs: 3_600_000 })).add(anOrder())).job.order
    await loseTickets(site)

    const restarted = await site.open({ sweepMs: 3_600_000 })

    expect((await claimNow(restarted)).job.order.id).toBe(id)
  })

  test('a pending job without a ticket is given one by whoever is there, after a while', async () => {
    await using site = siteOn(server)
    const queue = await site.open()
    const { id } = (await queue.add(anOrder())).job.order

    await loseTickets(site)

    expect((await claimNow(queue)).job.order.id).toBe(id)
  })

  test('a job whose ticket was lost while it was worked on is taken up again, and its worker is told', async () => {
    await using site = siteOn(server)
    const [queue, other] = [await site.open(), await site.open()]
    const { id } = (await queue.add(anOrder())).job.order
    const lease = await claimNow(queue)

    await loseTickets(site)
    await comesTo(other, id, 'pending', 2)

    const next = await claimNow(other)
    expect(next.job).toMatchObject({ order: { id }, attempts: 2 })
    expect(await lease.complete('of the first')).toBe(false)
    expect(await next.complete('of the second')).toBe(true)
  })

  test.each(['cancelled', 'forgotten', 'never handed in'])(
    'a ticket of a job that is %s is dropped',
    async (what) => {
      await using site = siteOn(server)
      const queue = await site.open()
      const { id } = anOrder()
      if (what !== 'never handed in') await queue.add(anOrder({ id }))
      if (what === 'cancelled') await queue.cancel(id)
      if (what === 'forgotten') await queue.forget(id)
      await using board = boardOf(site)
      const dropped = Promise.withResolvers<string>()
      const events = new QueueEvents('batch', {
        connection: site.redis,
        prefix: site.prefix,
        lastEventId: '0-0',
      })
      events.on('completed', ({ jobId }) => dropped.resolve(jobId))
      await board.queue.add('job', { id }, { jobId: id })

      const claim = claimNow(queue)
      expect(await dropped.promise).toBe(id)
      const { id: next } = (await queue.add(anOrder())).job.order

      expect((await claim).job.order.id).toBe(next)
      expect(await board.queue.getJobCounts('wait', 'active', 'completed')).toMatchObject({
        wait: 0,
        active: 1,
        completed: 0,
      })
      await events.close()
    },
  )

  test('a queue that is paused from the board hands nothing out until it goes on', async () => {
    await using site = siteOn(server)
    const queue = await site.open()
    await using board = boardOf(site)
    await board.queue.pause()
    const { id } = (await queue.add(anOrder())).job.order
    const claim = claimNow(queue)
    expect(await queue.find(id)).toMatchObject({ state: 'pending' })

    await board.queue.resume()
    await queue.add(anOrder())

    expect((await claim).job.order.id).toBe(id)
  })

  test('a record that this version cannot read fails its job, not the worker', async () => {
    await using site = siteOn(server)
    const queue = await site.open()
    const order = anOrder()
    await queue.add(order)
    await site.redis.hset(
      `${site.prefix}:job:${order.id}`,
      'order',
      JSON.stringify({ ...order, lane: 'express' }),
    )
    const { id } = (await queue.add(anOrder())).job.order

    expect((await claimNow(queue)).job.order.id).toBe(id)
    expect(await site.redis.hget(`${site.prefix}:job:${order.id}`, 'state')).toBe('failed')
  })
})
