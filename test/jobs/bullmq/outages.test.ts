// Redis goes and comes back, in the middle of everything.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLog } from '../../../src/log.ts'
import { addAll, anOrder, aWindow, claimNow, comesTo, story } from '../orders.ts'
import { REDIS, type RedisServer, startRedis } from '../redis-server.ts'
import { lostOf, NO_REDIS, siteOn } from './parts.ts'

const ENDINGS = ['SIGKILL', 'SIGTERM'] as const

describe.skipIf(REDIS === undefined)(`redis comes and goes${REDIS ? '' : ` (skipped: ${NO_REDIS})`}`, () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test.each(ENDINGS)('%s loses no job, no window, no event and no lease', async (signal) => {
    await using site = siteOn(server)
    const [queue, other] = [await site.open(), await site.open()]
    const [order] = await addAll(queue, [anOrder(), anOrder()])
    const id = order?.id ?? ''
    const lease = await claimNow(queue)
    for (const number of [0, 1]) await lease.finishedWindow(aWindow(number))

    await server.end(signal)
    await server.start()

    expect(await lease.finishedWindow(aWindow(2))).toBe(true)
    expect(await lease.complete('r')).toBe(true)
    expect(await story(other, id)).toEqual(['pending', 'processing', 0, 1, 2, 'completed'])
    expect((await claimNow(other)).job).toMatchObject({ attempts: 1 })
  })

  test.each(ENDINGS)('%s: who waits for a job or for news goes on waiting, and gets it', async (signal) => {
    await using site = siteOn(server)
    const [queue, other] = [await site.open(), await site.open()]
    const order = anOrder()
    const watched = anOrder({ lane: 'interactive' })
    await queue.add(watched)
    const claim = claimNow(other)
    const reader = story(other, watched.id)
    await comesTo(other, watched.id, 'pending')

    await server.end(signal)
    await server.start()
    await queue.add(order)
    await queue.cancel(watched.id)

    expect((await claim).job.order.id).toBe(order.id)
    expect(await reader).toEqual(['pending', 'cancelled'])
  })

  test('what is asked while it is away is answered when it is back in time', async () => {
    await using site = siteOn(server)
    const queue = await site.open()
    await server.end('SIGKILL')
    const added = queue.add(anOrder())
    const listed = queue.list({ limit: 10 })

    await server.start()

    expect(await added).toMatchObject({ isNew: true })
    expect(await listed).toBeInstanceOf(Array)
  })

  test('what is asked while it is away for long is refused, with a time to come back', async () => {
    await using site = siteOn(server)
    const lines: string[] = []
    const isBack = Promise.withResolvers<void>()
    const log = createLog('info', (line) => {
      lines.push((JSON.parse(line) as { message: string }).message)
      if (line.includes('is back')) isBack.resolve()
    })
    const queue = await site.open({ patienceMs: 200, log })
    const order = anOrder()
    await queue.add(order)
    await server.end('SIGKILL')
    const refusal = { code: 'queue_unreachable', status: 503, retryAfterSeconds: 10 }

    const answers = await Promise.allSettled([
      queue.add(anOrder()),
      queue.find(order.id),
      queue.cancel(order.id),
      queue.counts(),
      queue.windows(order.id),
    ])
    const isReachable = await queue.isReachable()
    await server.start()
    await isBack.promise

    for (const answer of answers) expect(answer).toMatchObject({ status: 'rejected', reason: refusal })
    expect(isReachable).toBe(false)
    expect(await queue.find(order.id)).toMatchObject({ state: 'pending' })
    expect(await queue.isReachable()).toBe(true)
    expect(lines).toEqual(['redis, where jobs are kept, is away', 'redis, where jobs are kept, is back'])
  })

  test('one that hangs is as good as away, and what it was asked last may be asked again', async () => {
    await using site = siteOn(server)
    const queue = await site.open({ patienceMs: 200 })
    const order = anOrder({ idempotencyKey: 'k' })
    server.freeze()

    await expect(queue.add(order)).rejects.toMatchObject({ code: 'queue_unreachable' })
    server.thaw()
    const again = await queue.add(anOrder({ idempotencyKey: 'k' }))

    expect(await queue.list({ limit: 10 })).toEqual([again.job])
  })

  test('a lease that could not be kept in time is lost, and the job goes on elsewhere from its last window', async () => {
    await using site = siteOn(server)
    const [queue, other] = [await site.open({ lockMs: 400 }), await site.open()]
    const { id } = (await queue.add(anOrder())).job.order
    const lease = await claimNow(queue)
    await lease.finishedWindow(aWindow(0))
    server.freeze()
    const write = lease.finishedWindow(aWindow(1))

    await lostOf(lease)
    expect(await write).toBe(false)
    server.thaw()

    const next = await claimNow(other)
    expect(next.job).toMatchObject({ order: { id }, attempts: 2 })
    expect((await other.windows(id)).length).toBeGreaterThanOrEqual(1)
    expect(await lease.complete('too late')).toBe(false)
  })

  test('a lease is kept for as long as its worker lives, however long one window takes', async () => {
    await using site = siteOn(server)
    const [queue, other] = [await site.open({ lockMs: 900 }), await site.open()]
    await addAll(queue, [anOrder(), anOrder()])
    const lease = await claimNow(queue)
    const key = `${site.prefix}:batch:${lease.job.order.id}:lock`
    // Redis tells of each lock that is written anew, three in a lock's life: after four the first is over.
    await site.redis.config('SET', 'notify-keyspace-events', 'K$')
    const listener = site.redis.duplicate()
    const refreshed = Promise.withResolvers<void>()
    let refreshes = 0
    listener.on('message', () => {
      if (++refreshes === 4) refreshed.resolve()
    })
    await listener.subscribe(`__keyspace@0__:${key}`)

    await Promise.race([refreshed.promise, lostOf(lease)])
    listener.disconnect()

    expect(lease.lost.aborted).toBe(false)
    expect(await other.find(lease.job.order.id)).toMatchObject({ state: 'processing', attempts: 1 })
    expect(await lease.complete('r')).toBe(true)
  })
})
