/** Cancelling, trying again and forgetting, in every state that a job can be in. */
import { describe, expect, test } from 'vitest'
import { ENDED_STATES, JOB_STATES } from '../../../src/jobs/job.ts'
import type { Lease } from '../../../src/jobs/job-queue.ts'
import { aFailure, aJobThatIs, anOrder, aWindow, claimNow, story } from '../orders.ts'
import type { OpenDefault } from '../queue-contract.ts'

const isLost = ({ lost }: Lease) =>
  new Promise<void>((resolve) =>
    lost.aborted ? resolve() : lost.addEventListener('abort', () => resolve(), { once: true }),
  )

export function endingContract(open: OpenDefault): void {
  describe('cancelling', () => {
    test('a pending job is cancelled at once, and handed out to nobody', async () => {
      await using opened = await open(() => 88)
      const { id } = await aJobThatIs('pending', opened.queue)

      const answer = await opened.queue.cancel(id)

      expect(answer).toMatchObject({ isCancelled: true, job: { state: 'cancelled', endedAtMs: 88 } })
      const { id: next } = await aJobThatIs('pending', opened.queue)
      expect((await claimNow(opened.queue)).job.order.id).toBe(next)
      expect(await story(opened.queue, id)).toEqual(['pending', 'cancelled'])
    })

    test.each(['the same', 'another'])(
      'a job that is worked on is cancelled from %s process',
      async (which) => {
        await using opened = await open()
        const another = await opened.openAnother()
        const { id } = await aJobThatIs('pending', opened.queue)
        const lease = await claimNow(opened.queue)

        const answer = await (which === 'another' ? another : opened.queue).cancel(id)

        expect(answer).toMatchObject({ isCancelled: true, job: { state: 'cancelled', attempts: 1 } })
        await isLost(lease)
        expect(await lease.finishedWindow(aWindow(0))).toBe(false)
        expect(await lease.complete('r')).toBe(false)
        await lease.release()
        expect(await opened.queue.find(id)).toMatchObject({ state: 'cancelled' })
        expect(await story(opened.queue, id)).toEqual(['pending', 'processing', 'cancelled'])
      },
    )

    test.each(ENDED_STATES)('a job that is %s stays what it was', async (state) => {
      await using opened = await open()
      const { id } = await aJobThatIs(state, opened.queue)
      const before = await opened.queue.find(id)

      expect(await opened.queue.cancel(id)).toEqual({ isCancelled: false, job: before })
      expect(await opened.queue.find(id)).toEqual(before)
    })

    test('what nobody handed in cannot be cancelled', async () => {
      await using opened = await open()

      expect(await opened.queue.cancel(crypto.randomUUID())).toBeUndefined()
    })
  })

  describe('trying again', () => {
    test.each(['failed', 'cancelled'] as const)('a %s job goes on after its last window', async (state) => {
      await using opened = await open()
      const { queue } = opened
      const { id } = await aJobThatIs('pending', queue)
      const lease = await claimNow(queue)
      await lease.finishedWindow(aWindow(0))
      await (state === 'failed' ? lease.fail(aFailure()) : queue.cancel(id))

      const again = await queue.retry(id)

      expect(again).toMatchObject({ state: 'pending', attempts: 1, processedSeconds: 30 })
      expect(again).not.toHaveProperty('failure')
      expect(again).not.toHaveProperty('endedAtMs')
      expect(await queue.endedBefore(Number.MAX_SAFE_INTEGER, 10)).toEqual([])
      const second = await claimNow(queue)
      expect(second.job).toMatchObject({ order: { id }, attempts: 2 })
      expect(await queue.windows(id)).toEqual([aWindow(0)])
      await second.finishedWindow(aWindow(1))
      expect(await second.complete('r')).toBe(true)
      expect(await story(queue, id)).toEqual(
        [
          ['pending', 'processing', 0, state],
          ['pending', 'processing', 1, 'completed'],
        ].flat(),
      )
    })

    test.each(['pending', 'processing', 'completed'] as const)(
      'there is nothing to try of a job that is %s',
      async (state) => {
        await using opened = await open()
        const { id } = await aJobThatIs(state, opened.queue)

        expect(await opened.queue.retry(id)).toBeUndefined()
        expect(await opened.queue.find(id)).toMatchObject({ state })
        expect(await opened.queue.retry(crypto.randomUUID())).toBeUndefined()
      },
    )

    test('a lease from before the job was cancelled and tried again is worth nothing', async () => {
      await using opened = await open()
      const { id, lease } = await aJobThatIs('cancelled', opened.queue)
      await opened.queue.retry(id)
      const second = await claimNow(opened.queue)

      expect(await lease?.complete('of the first')).toBe(false)
      expect(await second.complete('of the second')).toBe(true)
      expect(await opened.queue.find(id)).toMatchObject({ resultKey: 'of the second' })
    })
  })

  describe('forgetting', () => {
    test.each(JOB_STATES)('nothing is left of a job that was %s', async (state) => {
      await using opened = await open()
      const another = await opened.openAnother()
      const { id, lease } = await aJobThatIs(state, opened.queue)

      await another.forget(id)

      for (const queue of [opened.queue, another]) {
        expect(await queue.find(id)).toBeUndefined()
        expect(await queue.list({ limit: 10 })).toEqual([])
        expect(await queue.windows(id)).toEqual([])
        expect(await story(queue, id)).toEqual([])
        expect((await queue.counts()).batch[state]).toBe(0)
        expect(await queue.endedBefore(Number.MAX_SAFE_INTEGER, 10)).toEqual([])
        expect(await queue.cancel(id)).toBeUndefined()
      }
      if (state === 'processing' && lease) await isLost(lease)
      expect([await lease?.finishedWindow(aWindow(0)), await lease?.complete('r')]).not.toContain(true)
      const { id: next } = await aJobThatIs('pending', opened.queue)
      expect((await claimNow(opened.queue)).job.order.id).toBe(next)
    })

    test('what is not there is forgotten already, and others are not touched', async () => {
      await using opened = await open()
      const order = anOrder()
      await opened.queue.add(order)

      await opened.queue.forget(crypto.randomUUID())

      expect(await opened.queue.find(order.id)).toMatchObject({ state: 'pending' })
    })
  })
}
