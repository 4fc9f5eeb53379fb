/** Finding jobs again: lists and their pages, counts, places in line. */
import { describe, expect, test } from 'vitest'
import type { Job } from '../../../src/jobs/job.ts'
import type { JobFilter, JobQueue } from '../../../src/jobs/job-queue.ts'
import { addAll, aJobThatIs, anOrder, claimNow } from '../orders.ts'
import type { OpenDefault } from '../queue-contract.ts'

const NONE = { pending: 0, processing: 0, completed: 0, failed: 0, cancelled: 0 }
const ids = (jobs: readonly Job[]) => jobs.map(({ order }) => order.id)

async function pages(queue: JobQueue, filter: JobFilter): Promise<string[][]> {
  const page = ids(await queue.list(filter))
  const before = page.at(-1)
  return before === undefined ? [] : [page, ...(await pages(queue, { ...filter, before }))]
}

export function listingContract(open: OpenDefault): void {
  describe('finding again', () => {
    test('of what nobody handed in, nothing is told', async () => {
      await using opened = await open()
      const id = crypto.randomUUID()

      expect(await opened.queue.find(id)).toBeUndefined()
      expect(await opened.queue.placeInLine(id)).toBeUndefined()
      expect(await opened.queue.windows(id)).toEqual([])
      expect(await opened.queue.list({ limit: 10 })).toEqual([])
      expect(await opened.queue.list({ limit: 10, before: id })).toEqual([])
      expect(await opened.queue.counts()).toEqual({ interactive: NONE, batch: NONE })
    })

    test('pages go from the newest to the oldest, of one age by id from above, and lose nothing', async () => {
      await using opened = await open()
      const ages = [5, 1, 1, 1, 3, 3, 2, 4, 1, 1]
      const orders = ages.map((age) => anOrder({ createdAtMs: 1_700_000_000_000 - age }))
      await addAll(opened.queue, orders)

      const seen = await pages(opened.queue, { limit: 3 })

      const newestFirst = orders.toSorted(
        (one, other) => other.createdAtMs - one.createdAtMs || (one.id < other.id ? 1 : -1),
      )
      expect(seen.map((page) => page.length)).toEqual([3, 3, 3, 1])
      expect(seen.flat()).toEqual(newestFirst.map(({ id }) => id))
    })

    test('a job that comes between two pages moves nothing', async () => {
      await using opened = await open()
      const [oldest, middle, newest] = await addAll(opened.queue, [anOrder(), anOrder(), anOrder()])
      const first = ids(await opened.queue.list({ limit: 2 }))

      await opened.queue.add(anOrder())

      expect(first).toEqual([newest?.id, middle?.id])
      expect(ids(await opened.queue.list({ limit: 2, before: middle?.id ?? '' }))).toEqual([oldest?.id])
    })

    test('a list is of one owner, of some states, or of both', async () => {
      await using opened = await open()
      const { queue } = opened
      const { id: done } = await aJobThatIs('completed', queue, anOrder({ owner: 'anna' }))
      const { id: gone } = await aJobThatIs('cancelled', queue, anOrder({ owner: 'bent' }))
      const { id: waits } = await aJobThatIs('pending', queue, anOrder({ owner: 'anna' }))
      const { id: nobodys } = await aJobThatIs('pending', queue, anOrder())

      const asked = async (filter: Omit<JobFilter, 'limit'>) => ids(await queue.list({ ...filter, limit: 9 }))

      expect(await asked({})).toEqual([nobodys, waits, gone, done])
      expect(await asked({ owner: 'anna' })).toEqual([waits, done])
      expect(await asked({ states: ['completed', 'cancelled'] })).toEqual([gone, done])
      expect(await asked({ owner: 'anna', states: ['pending'] })).toEqual([waits])
      expect(await asked({ owner: 'anna', before: waits })).toEqual([done])
      expect(await asked({ owner: 'anna', states: ['pending'], before: waits })).toEqual([])
      expect(await asked({ owner: 'carl' })).toEqual([])
      expect(await asked({ states: [] })).toEqual([])
    })

    test('jobs are counted by lane and state', async () => {
      await using opened = await open()
      const { queue } = opened
      for (const state of ['completed', 'failed', 'failed', 'cancelled', 'processing'] as const)
        await aJobThatIs(state, queue)
      await addAll(queue, [anOrder(), anOrder(), anOrder({ lane: 'interactive' })])

      expect(await queue.counts()).toEqual({
        interactive: { ...NONE, pending: 1 },
        batch: { pending: 2, processing: 1, completed: 1, failed: 2, cancelled: 1 },
      })
    })

    test('the place in line counts the pending jobs of the lane that came before', async () => {
      await using opened = await open()
      const { queue } = opened
      const [first, other, second, third] = await addAll(queue, [
        anOrder(),
        anOrder({ lane: 'interactive' }),
        anOrder(),
        anOrder(),
      ])
      const places = () =>
        Promise.all([first, second, third, other].map((one) => queue.placeInLine(one?.id ?? '')))

      expect(await places()).toEqual([0, 1, 2, 0])
      const lease = await claimNow(queue)
      expect(await places()).toEqual([undefined, 0, 1, 0])
      await queue.cancel(second?.id ?? '')
      expect(await places()).toEqual([undefined, undefined, 0, 0])
      await lease.release()
      expect(await places()).toEqual([0, undefined, 1, 0])
    })

    test('what ended before a time is listed from the oldest, and nothing else is', async () => {
      let nowMs = 1_000_000
      await using opened = await open(() => nowMs)
      const { queue } = opened
      const ended: string[] = []
      for (const state of ['completed', 'failed', 'cancelled', 'completed'] as const) {
        nowMs += 1000
        ended.push((await aJobThatIs(state, queue)).id)
      }
      await aJobThatIs('processing', queue)
      await aJobThatIs('pending', queue)

      expect(ids(await queue.endedBefore(nowMs, 10))).toEqual(ended.slice(0, 3))
      expect(ids(await queue.endedBefore(nowMs + 1, 10))).toEqual(ended)
      expect(ids(await queue.endedBefore(nowMs + 1, 2))).toEqual(ended.slice(0, 2))
      expect(await queue.endedBefore(0, 10)).toEqual([])
    })
  })
}
