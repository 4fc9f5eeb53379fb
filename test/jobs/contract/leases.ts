/** What the worker says while it holds a job, and what becomes of the job when it is let go or lost. */
import { describe, expect, test } from 'vitest'
import type { JobQueue, Lease } from '../../../src/jobs/job-queue.ts'
import { addAll, aFailure, aJobThatIs, anOrder, aWindow, claimNow, comesTo, story } from '../orders.ts'
import type { OpenDefault, QueueUnderTest } from '../queue-contract.ts'

/** Everything a worker can say, but for letting go. */
const VERBS: readonly (readonly [string, (lease: Lease) => Promise<boolean>])[] = [
  ['tells the length', (lease) => lease.lengthIs(99)],
  ['has finished a window', (lease) => lease.finishedWindow(aWindow(9))],
  ['completes', (lease) => lease.complete('too late')],
  ['fails', (lease) => lease.fail(aFailure())],
]

/** A job that was taken from a worker that had finished one window, and the worker that has it now. */
async function aJobThatChangedHands(
  opened: QueueUnderTest,
): Promise<{ slow: Lease; quick: Lease; other: JobQueue }> {
  const other = await opened.openAnother()
  await opened.queue.add(anOrder())
  const slow = await claimNow(opened.queue)
  await slow.finishedWindow(aWindow(0))
  await opened.standStill(opened.queue)
  return { slow, quick: await claimNow(other), other }
}

export function leasesContract(open: OpenDefault): void {
  describe('a job in a worker’s hands', () => {
    test('its length and its windows are kept as they are told, in order, for every process', async () => {
      await using opened = await open()
      const { queue } = opened
      const another = await opened.openAnother()
      const { id } = await aJobThatIs('pending', queue)
      const lease = await claimNow(queue)

      expect(await lease.lengthIs(301.5)).toBe(true)
      expect(await another.find(id)).toMatchObject({ durationSeconds: 301.5 })
      for (const number of [0, 1, 2]) expect(await lease.finishedWindow(aWindow(number))).toBe(true)

      expect(await another.windows(id)).toEqual([aWindow(0), aWindow(1), aWindow(2)])
      expect(await another.find(id)).toMatchObject({ processedSeconds: 90, durationSeconds: 300 })
    })

    test('the last of its windows are told in order, without the first', async () => {
      await using opened = await open()
      const lease = (await aJobThatIs('processing', opened.queue)).lease
      const { id } = lease?.job.order ?? { id: '' }
      expect(await opened.queue.lastWindows(id, 3)).toEqual([])
      for (let number = 0; number < 5; number++) await lease?.finishedWindow(aWindow(number))

      expect(await opened.queue.lastWindows(id, 3)).toEqual([aWindow(2), aWindow(3), aWindow(4)])
      expect(await opened.queue.lastWindows(id, 99)).toEqual([0, 1, 2, 3, 4].map((number) => aWindow(number)))
      expect(await opened.queue.lastWindows(crypto.randomUUID(), 3)).toEqual([])
    })

    test('a completed job knows its result and its end, and nothing can be added to it', async () => {
      await using opened = await open(() => 77)
      const { id } = await aJobThatIs('pending', opened.queue)
      const lease = await claimNow(opened.queue)

      expect(await lease.complete('jobs/1/result.json')).toBe(true)

      const completed = { state: 'completed', resultKey: 'jobs/1/result.json', endedAtMs: 77 }
      expect(await opened.queue.find(id)).toMatchObject(completed)
      for (const [, say] of VERBS) expect(await say(lease)).toBe(false)
      await lease.release()
      expect(await opened.queue.find(id)).toMatchObject(completed)
      expect(await story(opened.queue, id)).toEqual(['pending', 'processing', 'completed'])
    })

    test('a failed job knows why', async () => {
      await using opened = await open(() => 77)
      const { id } = await aJobThatIs('failed', opened.queue)

      expect(await opened.queue.find(id)).toMatchObject({
        state: 'failed',
        failure: aFailure(),
        endedAtMs: 77,
      })
      const last = await Array.fromAsync(opened.queue.events(id, 2, AbortSignal.timeout(9000)))
      expect(last).toEqual([{ number: 3, event: { kind: 'state', state: 'failed', failure: aFailure() } }])
    })

    test('a job that is let go is the first of its lane, keeps its windows, and the attempt did not count', async () => {
      await using opened = await open()
      const { queue } = opened
      const owners = ['anna', 'anna', 'bent']
      await addAll(
        queue,
        owners.map((owner) => anOrder({ owner })),
      )
      const [first] = [await claimNow(queue), await claimNow(queue), await claimNow(queue)]
      await first.finishedWindow(aWindow(0))
      const { id } = first.job.order
      await queue.add(anOrder({ owner: 'carl' })) // whose turn it would be: anna has another in work

      await first.release()

      expect(await queue.find(id)).toMatchObject({ state: 'pending', attempts: 0, processedSeconds: 30 })
      expect(await queue.placeInLine(id)).toBe(0)
      expect((await claimNow(queue)).job).toMatchObject({ order: { id }, attempts: 1 })
      expect(await queue.windows(id)).toEqual([aWindow(0)])
    })

    test('of several that are let go the last is the first, and all come before a new one', async () => {
      await using opened = await open()
      const { queue } = opened
      await addAll(queue, [anOrder(), anOrder(), anOrder()])
      const [one, two, three] = [await claimNow(queue), await claimNow(queue), await claimNow(queue)]
      const { id } = await aJobThatIs('pending', queue)

      for (const lease of [two, one, three]) await lease.release()

      const again = [three, one, two].map((lease) => lease.job.order.id)
      const claimed = [
        await claimNow(queue),
        await claimNow(queue),
        await claimNow(queue),
        await claimNow(queue),
      ]
      expect(claimed.map((lease) => lease.job.order.id)).toEqual([...again, id])
    })

    test('whoever leaves without a word lets go; whoever has said the last word changes nothing by leaving', async () => {
      await using opened = await open()
      const { id } = await aJobThatIs('pending', opened.queue)
      {
        await using _lease = await claimNow(opened.queue)
      }
      expect(await opened.queue.find(id)).toMatchObject({ state: 'pending', attempts: 0 })
      {
        await using lease = await claimNow(opened.queue)
        await lease.complete('r')
      }
      expect(await opened.queue.find(id)).toMatchObject({ state: 'completed', attempts: 1 })
    })

    test('a worker that was taken for dead has lost its job to another, which goes on after its last window', async () => {
      await using opened = await open()

      const { quick, slow, other } = await aJobThatChangedHands(opened)

      const { id } = slow.job.order
      expect(quick.job).toMatchObject({ order: { id }, attempts: 2, processedSeconds: 30 })
      expect(await other.windows(id)).toEqual([aWindow(0)])
    })

    test.each(VERBS)(
      'a worker that was taken for dead and %s is not listened to, and told so',
      async (_verb, say) => {
        await using opened = await open()
        const { slow, quick, other } = await aJobThatChangedHands(opened)
        const { id } = slow.job.order

        expect(await say(slow)).toBe(false)
        expect(slow.lost.aborted).toBe(true)
        await slow.release()

        expect(await quick.finishedWindow(aWindow(1))).toBe(true)
        expect(await quick.complete('r')).toBe(true)
        expect(quick.lost.aborted).toBe(false)
        expect(await other.find(id)).toMatchObject({ state: 'completed', resultKey: 'r', attempts: 2 })
        expect(await other.windows(id)).toEqual([aWindow(0), aWindow(1)])
      },
    )

    test('a worker that was taken for dead and lets go, takes the job from nobody', async () => {
      await using opened = await open()
      const { slow, quick } = await aJobThatChangedHands(opened)

      await slow.release()

      expect(await quick.complete('r')).toBe(true)
    })

    test('a job that is begun three times without getting further is failed, and says so', async () => {
      await using opened = await open()
      const { id } = await aJobThatIs('pending', opened.queue)
      for (let attempt = 1, after = 1; attempt <= 3; attempt++) {
        const doomed = await opened.openAnother()
        expect((await claimNow(doomed)).job.attempts).toBe(attempt)
        await opened.standStill(doomed)
        after = await comesTo(opened.queue, id, attempt < 3 ? 'pending' : 'failed', after)
      }

      const job = await opened.queue.find(id)

      expect(job).toMatchObject({
        state: 'failed',
        attempts: 3,
        failure: { code: 'job_abandoned', param: null },
      })
      expect(job?.endedAtMs).toBeTypeOf('number')
    })

    test('a job that gets further each time is begun as often as it takes', async () => {
      await using opened = await open()
      const { id } = await aJobThatIs('pending', opened.queue)
      for (let attempt = 1, after = 1; attempt <= 4; attempt++) {
        const doomed = await opened.openAnother()
        await (await claimNow(doomed)).finishedWindow(aWindow(attempt - 1))
        await opened.standStill(doomed)
        after = await comesTo(opened.queue, id, 'pending', after)
      }

      expect((await claimNow(opened.queue)).job).toMatchObject({ attempts: 5, processedSeconds: 120 })
    })
  })
}
