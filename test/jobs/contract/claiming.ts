/** Handing out: in which order, to whom, and how waiting for a job begins and ends. */
import { describe, expect, test } from 'vitest'
import type { JobQueue } from '../../../src/jobs/job-queue.ts'
import { addAll, aJobThatIs, anOrder, claimNow } from '../orders.ts'
import type { OpenDefault } from '../queue-contract.ts'

const DAY_MS = 86_400_000

async function claimOrder(queue: JobQueue, jobs: number): Promise<string[]> {
  const order: string[] = []
  while (order.length < jobs) order.push((await claimNow(queue)).job.order.id)
  return order
}

/** Works until `left` is empty, and says how often each job was done. */
async function workThrough(queue: JobQueue, left: Set<string>, done: string[], signal: AbortSignal) {
  while (left.size > 0) {
    const lease = await queue.claim('batch', signal).catch(() => undefined)
    if (!lease) return
    done.push(lease.job.order.id)
    await lease.complete('r')
    left.delete(lease.job.order.id)
  }
}

export function claimingContract(open: OpenDefault): void {
  describe('handing out', () => {
    test('a job that is handed out is processing, begun once, and known as that to all', async () => {
      await using opened = await open(() => 1234)
      const another = await opened.openAnother()
      const order = anOrder()
      await opened.queue.add(order)

      const { job } = await claimNow(opened.queue)

      expect(job).toEqual({ order, state: 'processing', attempts: 1, startedAtMs: 1234 })
      expect(await another.find(order.id)).toEqual(job)
    })

    test('the oldest comes first, and lanes do not mix', async () => {
      await using opened = await open()
      const orders = await addAll(opened.queue, [
        anOrder({ lane: 'interactive' }),
        anOrder(),
        anOrder(),
        anOrder(),
      ])

      const [interactive, ...batch] = orders.map(({ id }) => id)
      expect(await claimOrder(opened.queue, 3)).toEqual(batch)
      expect((await claimNow(opened.queue, 'interactive')).job.order.id).toBe(interactive)
    })

    test('the owner with the fewest jobs in work comes first, then the oldest', async () => {
      await using opened = await open()
      const owners = ['anna', 'anna', 'anna', 'bent', undefined, 'bent', undefined]
      const orders = await addAll(
        opened.queue,
        owners.map((owner) => anOrder(owner === undefined ? {} : { owner })),
      )

      const claimed = await claimOrder(opened.queue, 7)

      const index = claimed.map((id) => orders.findIndex((order) => order.id === id))
      expect(index).toEqual([0, 3, 4, 1, 5, 6, 2])
    })

    test.each(['the same', 'another'])('whoever waits is woken when %s process hands in', async (which) => {
      await using opened = await open()
      const another = await opened.openAnother()
      const claim = claimNow(opened.queue)

      const order = anOrder()
      await (which === 'another' ? another : opened.queue).add(order)

      expect((await claim).job.order).toEqual(order)
    })

    test('waiting ends with the signal, for its reason, and takes no job with it', async () => {
      await using opened = await open()
      const leaving = new AbortController()
      const claim = opened.queue.claim('batch', leaving.signal)
      const reason = new Error('has waited enough')

      leaving.abort(reason)

      await expect(claim).rejects.toBe(reason)
      const { id } = await aJobThatIs('pending', opened.queue)
      await expect(opened.queue.claim('batch', leaving.signal)).rejects.toBe(reason)
      expect((await claimNow(opened.queue)).job).toMatchObject({ order: { id }, attempts: 1 })
    })

    test('a job for which many wait goes to one of them, and the others wait on', async () => {
      await using opened = await open()
      const another = await opened.openAnother()
      const leaving = new AbortController()
      const got: string[] = []
      const claims = Array.from({ length: 6 }, async (_, number) => {
        const lease = await (number % 2 ? another : opened.queue)
          .claim('batch', leaving.signal)
          .catch(() => undefined)
        if (lease) got.push(lease.job.order.id)
      })

      const { id } = await aJobThatIs('pending', opened.queue)
      await Promise.race(claims)
      const next = claimNow(opened.queue)
      leaving.abort()
      await Promise.all(claims)

      expect(got).toEqual([id])
      const { id: second } = await aJobThatIs('pending', opened.queue)
      expect((await next).job.order.id).toBe(second)
    })

    test('a thousand jobs through two processes are each done once', async () => {
      await using opened = await open()
      const queues = [opened.queue, await opened.openAnother()]
      const orders = Array.from({ length: 1000 }, (_, number) => anOrder({ owner: `owner ${number % 7}` }))
      await Promise.all(orders.map((order) => opened.queue.add(order)))
      const left = new Set(orders.map(({ id }) => id))
      const done: string[] = []
      const finished = new AbortController()

      const work = queues.flatMap((queue) =>
        [1, 2].map(() => workThrough(queue, left, done, finished.signal).finally(() => finished.abort())),
      )
      await Promise.all(work)

      expect(done.toSorted()).toEqual(orders.map(({ id }) => id).toSorted())
      expect((await opened.queue.counts()).batch).toMatchObject({
        completed: 1000,
        pending: 0,
        processing: 0,
      })
    })

    test('a wall clock that jumps a day, there and back, loses no lease and changes no order', async () => {
      let nowMs = Date.UTC(2026, 10, 20)
      await using opened = await open(() => nowMs)
      const { queue } = opened
      const another = await opened.openAnother()
      await queue.add(anOrder({ createdAtMs: nowMs }))
      const lease = await claimNow(queue)

      for (const jumpMs of [DAY_MS, -2 * DAY_MS, DAY_MS]) {
        nowMs += jumpMs
        await another.add(anOrder({ createdAtMs: nowMs, fileName: `after ${jumpMs}` }))
        expect(await lease.lengthIs(30)).toBe(true)
        expect(await another.find(lease.job.order.id)).toMatchObject({ state: 'processing', attempts: 1 })
      }

      expect(lease.lost.aborted).toBe(false)
      expect(await lease.complete('r')).toBe(true)
      const next = [await claimNow(another), await claimNow(queue), await claimNow(another)]
      expect(next.map(({ job }) => job.order.fileName)).toEqual([
        `after ${DAY_MS}`,
        `after ${-2 * DAY_MS}`,
        `after ${DAY_MS}`,
      ])
    })
  })
}
