import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { OUTBOX_BEGINNING } from '../../src/jobs/blob-keys.ts'
import { deliverDue, deliveryOf, promiseDelivery, type WebhookParts } from '../../src/jobs/webhooks.ts'
import type { WebhookMessage } from '../../src/jobs/webhook-message.ts'
import { createLog } from '../../src/log.ts'
import { NEVER, Workplace } from './places.ts'
import { complete } from './working.ts'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const URL = 'https://example.org/told'

class Receiver {
  readonly got: WebhookMessage[] = []
  answers: (number | Error)[] = []

  readonly post = async (_url: string, message: WebhookMessage): Promise<number> => {
    this.got.push(message)
    const answer = this.answers.shift() ?? 200
    if (answer instanceof Error) throw answer
    return answer
  }
}

function partsOf(place: Workplace, receiver: Receiver): WebhookParts {
  const { blobs, queue } = place
  const nowMs = () => queue.nowMs
  return {
    blobs,
    queue,
    secret: SECRET,
    post: receiver.post,
    nowMs,
    random: () => 0,
    log: createLog('silent'),
  }
}

async function handIn(place: Workplace): Promise<string> {
  const id = await place.handIn({ callbackUrl: URL, metadata: { case: '7' }, fileName: 'møde.wav' })
  await promiseDelivery(place, { job: id, url: URL, atMs: 0 })
  return id
}

test('a completed job is told once, signed so that the standard library accepts it', async () => {
  const place = new Workplace()
  const receiver = new Receiver()
  place.queue.nowMs = Date.now() // the library refuses what is old
  const id = await handIn(place)
  await complete(await place.queue.claim('batch', NEVER), place.blobs)

  await deliverDue(partsOf(place, receiver), NEVER)
  await deliverDue(partsOf(place, receiver), NEVER)

  const [told = { body: '', headers: {} }, ...more] = receiver.got
  expect(more).toEqual([])
  expect(new Webhook(SECRET).verify(told.body, { ...told.headers })).toEqual({
    type: 'job.completed',
    timestamp: new Date(place.queue.nowMs).toISOString(),
    data: {
      id,
      object: 'job',
      status: 'completed',
      file_name: 'møde.wav',
      metadata: { case: '7' },
      result_path: `/v1/jobs/${id}/result`,
    },
  })
  expect(await deliveryOf(place, id)).toMatchObject({ state: 'delivered', attempts: [{ status: 200 }] })
})

test('nobody is told before the end', async () => {
  const place = new Workplace()
  const receiver = new Receiver()
  const id = await handIn(place)
  await using lease = await place.queue.claim('batch', NEVER)

  await deliverDue(partsOf(place, receiver), NEVER)
  expect(receiver.got).toEqual([])

  await lease.fail({ code: 'invalid_audio', message: 'no sound', param: 'file' })
  await deliverDue(partsOf(place, receiver), NEVER)
  expect(JSON.parse(receiver.got[0]?.body ?? '')).toMatchObject({
    type: 'job.failed',
    data: { id, error: { code: 'invalid_audio' } },
  })
})

test('who does not listen is told again, later and later for a day, always under the same id', async () => {
  const place = new Workplace()
  const receiver = new Receiver()
  receiver.answers = Array.from({ length: 99 }, (_unused, index) => (index % 2 ? 500 : new Error('refused')))
  const id = await handIn(place)
  await place.queue.cancel(id)
  const startedMs = place.queue.nowMs
  const waitedSeconds: number[] = []

  for (;;) {
    await deliverDue(partsOf(place, receiver), NEVER)
    const delivery = await deliveryOf(place, id)
    if (delivery?.state !== 'due') break
    waitedSeconds.push((delivery.nextAtMs - place.queue.nowMs) / 1000)
    place.queue.nowMs = delivery.nextAtMs - 1
    await deliverDue(partsOf(place, receiver), NEVER) // it is not time yet
    place.queue.nowMs += 1
  }

  expect(waitedSeconds).toEqual(waitedSeconds.toSorted((a, b) => a - b))
  expect((place.queue.nowMs - startedMs) / 3_600_000).toBeCloseTo(23.7, 1)
  expect(receiver.got).toHaveLength(11)
  expect(new Set(receiver.got.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
  expect(await deliveryOf(place, id)).toMatchObject({ state: 'given_up', attempts: { length: 11 } })
  expect(await Array.fromAsync(place.blobs.list(OUTBOX_BEGINNING))).toEqual([])
})

test('a receiver that is gone for good is not told again', async () => {
  const place = new Workplace()
  const receiver = new Receiver()
  receiver.answers = [410]
  const id = await handIn(place)
  await place.queue.cancel(id)

  await deliverDue(partsOf(place, receiver), NEVER)

  expect(await deliveryOf(place, id)).toMatchObject({ state: 'given_up', attempts: [{ status: 410 }] })
})

test('a worker that dies while it tells leaves it to the next one', async () => {
  const place = new Workplace()
  const receiver = new Receiver()
  const id = await handIn(place)
  await place.queue.cancel(id)
  const dying = new AbortController()
  const dies = async () => {
    dying.abort()
    throw new Error('aborted')
  }

  await deliverDue({ ...partsOf(place, receiver), post: dies }, dying.signal)
  await deliverDue(partsOf(place, receiver), NEVER) // it may still be telling
  expect(receiver.got).toEqual([])

  place.queue.nowMs += 120_000
  await deliverDue(partsOf(place, receiver), NEVER)
  expect(receiver.got).toHaveLength(1)
})

test('of a forgotten job there is nothing to tell', async () => {
  const place = new Workplace()
  const receiver = new Receiver()
  const id = await handIn(place)
  await place.queue.forget(id)

  await deliverDue(partsOf(place, receiver), NEVER)

  expect(receiver.got).toEqual([])
  expect(await deliveryOf(place, id)).toBeUndefined()
})

test('one that cannot be read does not keep the others from being told', async () => {
  const place = new Workplace()
  const receiver = new Receiver()
  await place.blobs.put(`${OUTBOX_BEGINNING}0.json`, 'half of')
  await place.queue.cancel(await handIn(place))

  await deliverDue(partsOf(place, receiver), NEVER)

  expect(receiver.got).toHaveLength(1)
})
