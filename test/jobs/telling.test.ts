import { expect, test } from 'vitest'
import { type Telling, startTelling } from '../../src/jobs/telling.ts'
import { deliverDue, deliverOne, deliveryOf, promiseDelivery } from '../../src/jobs/webhooks.ts'
import { createLog } from '../../src/log.ts'
import { NEVER, WHOLE, Workplace } from './places.ts'
import { complete } from './working.ts'

const URL = 'https://example.org/told'

async function handIn(place: Workplace): Promise<string> {
  const id = await place.handIn({ callbackUrl: URL })
  await promiseDelivery(place, { job: id, url: URL, atMs: place.queue.nowMs })
  return id
}

function partsOf(place: Workplace, post: () => Promise<number>) {
  const { blobs, queue } = place
  const told = { secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', random: () => 0 }
  return { ...told, blobs, queue, post, nowMs: () => queue.nowMs, log: createLog('silent') }
}

/** Every letter is awaited by the test, and answered when it says so. */
class Receiver {
  readonly #letters: PromiseWithResolvers<PromiseWithResolvers<number>>[] = []
  #came = 0
  #read = 0

  #at(index: number) {
    return (this.#letters[index] ??= Promise.withResolvers())
  }

  get count() {
    return this.#came
  }

  readonly post = () => {
    const answer = Promise.withResolvers<number>()
    this.#at(this.#came++).resolve(answer)
    return answer.promise
  }

  async next() {
    return this.#at(this.#read++).promise
  }
}

const stateOf = (place: Workplace, id: string) => async () => (await deliveryOf(place, id))?.state

test('the end of a job here is told without waiting for the next look', async () => {
  const place = new Workplace()
  const receiver = new Receiver()
  await using telling = startTelling(partsOf(place, receiver.post))
  await using _runner = place.start(
    async function* () {
      yield { kind: 'done', transcript: WHOLE } as const
    },
    { onEnd: telling.ended },
  )
  const id = await handIn(place)

  ;(await receiver.next()).resolve(204)

  await expect.poll(stateOf(place, id)).toBe('delivered')
})

test('a slow receiver keeps nobody else waiting', async () => {
  const place = new Workplace()
  const receiver = new Receiver()
  await using telling: Telling = startTelling(partsOf(place, receiver.post))
  const [slow, quick] = [await handIn(place), await handIn(place)]
  for (const id of [slow, quick]) await place.queue.cancel(id)

  telling.ended(slow)
  const first = await receiver.next()
  telling.ended(quick)
  ;(await receiver.next()).resolve(200)

  await expect.poll(stateOf(place, quick)).toBe('delivered')
  first.resolve(200)
  await expect.poll(stateOf(place, slow)).toBe('delivered')
})

test('one end that is noticed often is told once', async () => {
  const place = new Workplace()
  const receiver = new Receiver()
  await using telling = startTelling(partsOf(place, receiver.post))
  const id = await handIn(place)
  await place.queue.cancel(id)

  for (let times = 0; times < 5; times++) telling.ended(id)
  ;(await receiver.next()).resolve(200)
  await expect.poll(stateOf(place, id)).toBe('delivered')
  await telling[Symbol.asyncDispose]()

  expect(receiver.count).toBe(1)
})

test('a delivery that was promised a moment ago has no job yet, and stays', async () => {
  const place = new Workplace()
  await promiseDelivery(place, { job: 'not-yet', url: URL, atMs: place.queue.nowMs })
  const parts = partsOf(place, async () => 200)

  await deliverDue(parts, NEVER)
  expect(await deliveryOf(place, 'not-yet')).toBeDefined()

  place.queue.nowMs += 600_001
  await deliverDue(parts, NEVER)
  expect(await deliveryOf(place, 'not-yet')).toBeUndefined()
})

test('of a job that is deleted while it is told, nothing stays', async () => {
  const place = new Workplace()
  const id = await handIn(place)
  await complete(await place.queue.claim('batch', NEVER), place.blobs)
  const post = async () => {
    await place.queue.forget(id)
    place.blobs.kept.clear()
    return 500
  }

  await deliverOne(partsOf(place, post), id, NEVER)

  expect([...place.blobs.kept.keys()]).toEqual([])
})
