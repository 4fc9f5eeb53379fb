/** Work whose last client has left: how long it goes on, and who finds it. */
import { beforeEach, expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { lingerMs } from '../../src/joining/shared-work.ts'
import { DONE, type StartedParts, startParts, progress } from './parts.ts'

let parts: StartedParts
beforeEach(async () => {
  parts = await startParts()
})

test('young work ends with its last client, who finds everything free', async () => {
  const { ask, road, timers } = parts
  const client = ask()
  const work = await road.work(1)
  timers.pass(4999)

  client.leave()

  await expect(client.answer).rejects.toThrow('hung up')
  expect(work.signal.aborted).toBe(true)
  await work.over.promise
  expect(await parts.leftovers()).toEqual([])
  expect(timers.set).toBe(0)
})

test('older work lingers for a tenth of its time, ends exactly then, and leaves nothing behind', async () => {
  const { ask, road, timers } = parts
  const client = ask()
  const work = await road.work(1)
  timers.pass(100_000)

  client.leave()
  await expect(client.answer).rejects.toThrow('hung up')
  timers.pass(9999)
  expect(work.signal.aborted).toBe(false)
  expect(await parts.leftovers()).toHaveLength(1)
  timers.pass(1)

  expect(work.signal.reason).toMatchObject({ code: 'client_closed_request' })
  await expect.poll(() => parts.leftovers()).toEqual([])
})

test('whoever joins lingering work keeps it alive', async () => {
  const { ask, road, timers } = parts
  const client = ask()
  const work = await road.work(1)
  work.say(progress(1))
  timers.pass(100_000)
  client.leave()
  await expect(client.answer).rejects.toThrow('hung up')
  timers.pass(9999)

  const retry = ask()
  await retry.hasJoined
  timers.pass(1_000_000)
  work.finish()

  expect(await retry.answer).toEqual([progress(1), DONE])
  expect(road.begun).toHaveLength(1)
  expect(await parts.leftovers()).toEqual([])
})

test('an owner whose work lingers is awaited, and nobody else', async () => {
  const { ask, road, timers, transcriber } = parts
  const awaited = () => ['ours', 'theirs', undefined].filter((owner) => transcriber.awaits(owner))
  const client = ask({ identity: 'a', owner: 'ours' })
  await road.work(1)
  timers.pass(100_000)
  expect(awaited()).toEqual([])

  client.leave()
  await expect(client.answer).rejects.toThrow('hung up')
  expect(awaited()).toEqual(['ours'])
  timers.pass(10_000)

  expect(awaited()).toEqual([])
})

test('work that was given up is not joined: the next one begins anew', async () => {
  const { ask, road, timers } = parts
  const client = ask()
  await road.work(1)
  timers.pass(100_000)
  client.leave()
  await expect(client.answer).rejects.toThrow('hung up')
  timers.pass(10_000)

  const late = ask()
  const second = await road.work(2)
  second.finish()

  expect(await late.answer).toEqual([DONE])
  expect(late.joined()).toBeUndefined()
  const next = ask()
  await next.answer
  expect(next.joined()).toBe('finished') // the end of the first has not taken the second away
})

test('work that finishes while it lingers is there for the retry', async () => {
  const { ask, road, timers } = parts
  const client = ask()
  const work = await road.work(1)
  timers.pass(100_000)
  client.leave()
  await expect(client.answer).rejects.toThrow('hung up')

  work.finish()
  await expect.poll(() => parts.leftovers()).toEqual([])
  timers.pass(10_000)

  const retry = ask()
  expect(await retry.answer).toEqual([DONE])
  expect(retry.joined()).toBe('finished')
})

test('a client that has announced its return finds even young work again', async () => {
  const { ask, road, timers } = parts
  const announced = { identity: 'a', isAskedAgain: true }
  const client = ask(announced)
  const work = await road.work(1)
  client.leave()
  await expect(client.answer).rejects.toThrow('hung up')
  timers.pass(29_999)

  const retry = ask(announced)
  await retry.hasJoined
  retry.leave()
  await expect(retry.answer).rejects.toThrow('hung up')
  timers.pass(29_999)

  expect(work.signal.aborted).toBe(false)
  timers.pass(1)
  expect(work.signal.aborted).toBe(true)
})

test.each([
  [0, false, 0],
  [4999, false, 0],
  [5000, false, 500],
  [60_000, false, 6000],
  [300_000, false, 30_000],
  [3_600_000, false, 30_000],
  [0, true, 30_000],
  [3_600_000, true, 30_000],
])('work of %i ms, announced: %s, lingers for %i ms', (ranMs, isAskedAgain, ms) => {
  expect(lingerMs(ranMs, isAskedAgain)).toBe(ms)
})

test('a failure that nobody waits for is in the log', async () => {
  const { ask, road, timers, logged } = parts
  const client = ask()
  const work = await road.work(1)
  timers.pass(100_000)
  client.leave()
  await expect(client.answer).rejects.toThrow('hung up')

  work.say(new Failure('engine_crashed', 'gone'))

  await expect.poll(() => logged.at(-1)).toMatchObject({ level: 'warn', error: { message: 'gone' } })
  expect(await parts.leftovers()).toEqual([])
  expect(timers.set).toBe(0)
})
