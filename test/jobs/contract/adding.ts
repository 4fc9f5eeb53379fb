/** Handing in: what is taken is kept whole, and the same thing handed in twice is one job. */
import { describe, expect, test } from 'vitest'
import { JOB_STATES } from '../../../src/jobs/job.ts'
import { aFullOrder, aJobThatIs, anOrder } from '../orders.ts'
import type { OpenDefault } from '../queue-contract.ts'

export function addingContract(open: OpenDefault): void {
  describe('handing in', () => {
    test('a job that was taken is pending, and there for every process, whole', async () => {
      await using opened = await open()
      const another = await opened.openAnother()
      const order = aFullOrder()

      const added = await opened.queue.add(order)

      const job = { order, state: 'pending', attempts: 0 }
      expect(added).toEqual({ job, isNew: true })
      expect(await another.find(order.id)).toEqual(job)
    })

    test('the same key of the same owner is the same job, whichever process is asked', async () => {
      await using opened = await open()
      const another = await opened.openAnother()
      const first = anOrder({ owner: 'anna', idempotencyKey: 'k' })
      await opened.queue.add(first)

      const again = await another.add(anOrder({ owner: 'anna', idempotencyKey: 'k', lane: 'interactive' }))

      expect(again).toMatchObject({ isNew: false, job: { order: first } })
      expect(await another.list({ limit: 10 })).toHaveLength(1)
    })

    test('of twenty submissions at once through two processes, one is taken and all are told of it', async () => {
      await using opened = await open()
      const another = await opened.openAnother()
      const submissions = Array.from({ length: 20 }, (_, number) =>
        (number % 2 ? another : opened.queue).add(anOrder({ idempotencyKey: 'k' })),
      )

      const answers = await Promise.all(submissions)

      expect(answers.filter((answer) => answer.isNew)).toHaveLength(1)
      expect(new Set(answers.map((answer) => answer.job.order.id)).size).toBe(1)
      expect(await opened.queue.list({ limit: 10 })).toHaveLength(1)
    })

    test('nobody is an owner too, and owners do not see each other’s keys', async () => {
      await using opened = await open()
      const owners = [{}, { owner: 'anna' }, { owner: 'bent' }, { owner: '' }]

      const first = await Promise.all(
        owners.map((owner) => opened.queue.add(anOrder({ ...owner, idempotencyKey: 'k' }))),
      )
      const second = await Promise.all(
        owners.map((owner) => opened.queue.add(anOrder({ ...owner, idempotencyKey: 'k' }))),
      )

      expect(first.map(({ isNew }) => isNew)).toEqual([true, true, true, true])
      expect(second.map(({ isNew }) => isNew)).toEqual([false, false, false, false])
      expect(second.map(({ job }) => job.order.id)).toEqual(first.map(({ job }) => job.order.id))
    })

    test.each(JOB_STATES)('an earlier job that is %s is answered as it is', async (state) => {
      await using opened = await open()
      const order = anOrder({ idempotencyKey: 'k' })
      await aJobThatIs(state, opened.queue, order)

      const again = await opened.queue.add(anOrder({ idempotencyKey: 'k' }))

      expect(again).toMatchObject({ isNew: false, job: { order, state } })
    })

    test('a job is found by its key, by its owner alone, whichever process is asked', async () => {
      await using opened = await open()
      const another = await opened.openAnother()
      const order = anOrder({ owner: 'anna', idempotencyKey: 'k' })
      await opened.queue.add(order)
      await opened.queue.add(anOrder({ idempotencyKey: 'nobody’s' }))
      const foundBy = async (...by: [string | undefined, string]) => {
        const found = [await opened.queue.findByKey(...by), await another.findByKey(...by)]
        expect(found[0]).toEqual(found[1])
        return found[0]?.order
      }

      expect(await foundBy('anna', 'k')).toEqual(order)
      expect(await foundBy(undefined, 'nobody’s')).toMatchObject({ idempotencyKey: 'nobody’s' })
      expect(await foundBy('anna', 'nobody’s')).toBeUndefined()
      expect(await foundBy('bo', 'k')).toBeUndefined()
      expect(await foundBy(undefined, 'k')).toBeUndefined()
      await opened.queue.forget(order.id)
      expect(await foundBy('anna', 'k')).toBeUndefined()
    })

    test('a key is free again when its job is forgotten', async () => {
      await using opened = await open()
      const { id } = await aJobThatIs('completed', opened.queue, anOrder({ idempotencyKey: 'k' }))

      await opened.queue.forget(id)

      expect(await opened.queue.add(anOrder({ idempotencyKey: 'k' }))).toMatchObject({ isNew: true })
    })

    test('orders without a key are all taken', async () => {
      await using opened = await open()

      const answers = await Promise.all([1, 2, 3].map(() => opened.queue.add(anOrder({ owner: 'anna' }))))

      expect(answers.map(({ isNew }) => isNew)).toEqual([true, true, true])
    })

    test('a place that answers is reachable', async () => {
      await using opened = await open()

      expect(await opened.queue.isReachable()).toBe(true)
    })
  })
}
