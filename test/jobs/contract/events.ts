/** What readers are told: everything once, in order, from any number on, while it happens and afterwards. */
import { describe, expect, test } from 'vitest'
import type { JobQueue } from '../../../src/jobs/job-queue.ts'
import { aJobThatIs, anOrder, aWindow, claimNow, comesTo, short, story } from '../orders.ts'
import type { OpenDefault } from '../queue-contract.ts'

const WINDOWS = 100

/** More windows than anybody reads at once. */
async function doLongJob(queue: JobQueue): Promise<void> {
  const lease = await claimNow(queue)
  for (let number = 0; number < WINDOWS; number++) await lease.finishedWindow(aWindow(number, WINDOWS))
  await lease.complete('r')
}

const LONG_STORY = [
  'pending',
  'processing',
  ...Array.from({ length: WINDOWS }, (_, number) => number),
  'completed',
]

export function eventsContract(open: OpenDefault): void {
  describe('what happens to a job', () => {
    test('is numbered from 1, whole, and ends with the state it ended in', async () => {
      await using opened = await open()
      const { id } = await aJobThatIs('pending', opened.queue)
      const lease = await claimNow(opened.queue)
      await lease.finishedWindow(aWindow(0))
      await lease.complete('r')

      const events = await Array.fromAsync(opened.queue.events(id, 0, AbortSignal.timeout(9000)))

      expect(events).toEqual([
        { number: 1, event: { kind: 'state', state: 'pending' } },
        { number: 2, event: { kind: 'state', state: 'processing' } },
        { number: 3, event: { kind: 'window', window: aWindow(0) } },
        { number: 4, event: { kind: 'state', state: 'completed' } },
      ])
    })

    test('is told from any number on', async () => {
      await using opened = await open()
      const { id } = await aJobThatIs('pending', opened.queue)
      await doLongJob(opened.queue)

      for (const after of [0, 1, 2, 50, WINDOWS + 2, WINDOWS + 3, WINDOWS + 99])
        expect(await story(opened.queue, id, after)).toEqual(LONG_STORY.slice(after))
    })

    test('is told while it happens, to readers in both processes who begin anywhere', async () => {
      await using opened = await open()
      const another = await opened.openAnother()
      const { id } = await aJobThatIs('pending', opened.queue)
      const readers = [0, 1, 2, 30, 99, WINDOWS + 2].flatMap((after) =>
        [opened.queue, another].map(async (queue) => ({ after, told: await story(queue, id, after) })),
      )

      await doLongJob(another)

      for (const { after, told } of await Promise.all(readers)) expect(told).toEqual(LONG_STORY.slice(after))
    })

    test.each([
      ['pending', 'cancel', ['cancelled']],
      ['processing', 'cancel', ['cancelled']],
      ['pending', 'forget', []],
      ['processing', 'forget', []],
    ] as const)('is told at once to whoever waits when a %s job meets its %s', async (state, verb, told) => {
      await using opened = await open()
      // First with nobody else there: another connection would wake the readers of this one, too.
      for (const openReader of [async () => opened.queue, () => opened.openAnother()]) {
        const { id } = await aJobThatIs(state, opened.queue)
        const reader = story(await openReader(), id, state === 'pending' ? 1 : 2)
        await new Promise(setImmediate) // it has looked, and waits

        await opened.queue[verb](id)

        expect(await reader).toEqual(told)
      }
    })

    test('is told without a gap to a reader who goes and comes back', async () => {
      await using opened = await open()
      const another = await opened.openAnother()
      const { id } = await aJobThatIs('pending', opened.queue)
      const work = doLongJob(opened.queue)

      const told: (string | number)[] = []
      for (let last = 0; told.at(-1) !== 'completed'; ) {
        for await (const { number, event } of another.events(id, last, AbortSignal.timeout(20_000))) {
          told.push(short(event))
          last = number
          if (number % 7 === 0) break
        }
      }

      await work
      expect(told).toEqual(LONG_STORY)
    })

    test('tells windows once, however often the job was begun', async () => {
      await using opened = await open()
      const { id } = await aJobThatIs('pending', opened.queue)
      const first = await claimNow(opened.queue)
      await first.finishedWindow(aWindow(0))
      await first.release()
      const another = await opened.openAnother()
      const second = await claimNow(another)
      await second.finishedWindow(aWindow(1))
      await opened.standStill(another)
      await comesTo(opened.queue, id, 'pending', 5)
      const third = await claimNow(opened.queue)
      await third.finishedWindow(aWindow(2))
      await third.complete('r')

      expect(await story(opened.queue, id)).toEqual(
        [
          ['pending', 'processing', 0],
          ['pending', 'processing', 1],
          ['pending', 'processing', 2],
          'completed',
        ].flat(),
      )
    })

    test('is over at once for a job that has ended, and of one that nobody knows', async () => {
      await using opened = await open()
      const { id } = await aJobThatIs('cancelled', opened.queue)

      expect(await story(opened.queue, id, 3)).toEqual([])
      expect(await story(opened.queue, crypto.randomUUID())).toEqual([])
    })

    test.each(['the same', 'another'])('is over when the job is forgotten in %s process', async (which) => {
      await using opened = await open()
      const another = await opened.openAnother()
      const { id } = await aJobThatIs('processing', opened.queue)
      const events = opened.queue.events(id, 0, AbortSignal.timeout(20_000))[Symbol.asyncIterator]()
      expect(await events.next()).toMatchObject({ value: { number: 1 } })
      expect(await events.next()).toMatchObject({ value: { number: 2 } })
      const third = events.next()

      await (which === 'another' ? another : opened.queue).forget(id)

      expect(await third).toEqual({ done: true, value: undefined })
    })

    test('is waited for no longer than the signal allows, and for its reason', async () => {
      await using opened = await open()
      const order = anOrder()
      await opened.queue.add(order)
      const leaving = new AbortController()
      const reason = new Error('has gone')
      const events = opened.queue.events(order.id, 1, leaving.signal)[Symbol.asyncIterator]()
      const first = events.next()

      leaving.abort(reason)

      await expect(first).rejects.toBe(reason)
      const late = opened.queue.events(order.id, 0, leaving.signal)[Symbol.asyncIterator]()
      await expect(late.next()).rejects.toBe(reason)
    })
  })
}
