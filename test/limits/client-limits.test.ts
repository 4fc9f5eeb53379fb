// On a clock that only the test moves: the limiter reads Date.now().
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Failure } from '../../src/failure.ts'
import { ClientLimits, type LimitSettings } from '../../src/limits/client-limits.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const ANY = { requestsPerMinute: 0, concurrentRequests: 0, audioSecondsPerDay: 0 }
const limitsOf = (settings: Partial<LimitSettings>) => new ClientLimits({ ...ANY, ...settings })
const pass = (seconds: number) => vi.advanceTimersByTime(seconds * 1000)

async function refusalOf(limits: ClientLimits, account = 'a'): Promise<Failure> {
  return limits.enter(account).then(
    () => expect.unreachable('it was let in'),
    (error: Failure) => error,
  )
}

test('without limits anything goes', async () => {
  const limits = limitsOf({})

  for (let request = 0; request < 1000; request++) await limits.enter('a')
  await limits.charge('a', 1e9)

  await expect(limits.enter('a')).resolves.toBeDefined()
  expect(await limits.requestsLeft('a')).toBeUndefined()
})

test('so many requests a minute, and then none until the minute has passed', async () => {
  const limits = limitsOf({ requestsPerMinute: 2 })
  await limits.enter('a')
  pass(20.5)
  await limits.enter('a')

  const refusal = await refusalOf(limits)

  expect(refusal).toMatchObject({ code: 'rate_limit_exceeded', status: 429, retryAfterSeconds: 40 })
  expect(refusal.message).toBe(
    'A client may have 2 requests a minute here, and this one has had them. The next may come in 40 seconds.',
  )
  pass(39)
  await refusalOf(limits)
  pass(1)
  await expect(limits.enter('a')).resolves.toBeDefined()
})

test('what is told of the requests that are left is what then happens', async () => {
  const limits = limitsOf({ requestsPerMinute: 3 })
  expect(await limits.requestsLeft('a')).toEqual({ limit: 3, remaining: 3, resetSeconds: 0 })

  await limits.enter('a')
  pass(10)
  await limits.enter('a')

  expect(await limits.requestsLeft('a')).toEqual({ limit: 3, remaining: 1, resetSeconds: 50 })
  await limits.enter('a')
  expect(await limits.requestsLeft('a')).toEqual({ limit: 3, remaining: 0, resetSeconds: 50 })
  await refusalOf(limits)
  pass(50)
  expect(await limits.requestsLeft('a')).toEqual({ limit: 3, remaining: 3, resetSeconds: 0 })
})

test('so many at once: who leaves makes room, once', async () => {
  const limits = limitsOf({ concurrentRequests: 2 })
  const first = await limits.enter('a')
  await limits.enter('a')
  expect(await refusalOf(limits)).toMatchObject({ status: 429, retryAfterSeconds: 5 })

  first[Symbol.dispose]()
  first[Symbol.dispose]()

  await limits.enter('a')
  expect((await refusalOf(limits)).message).toMatch(/2 requests at once.*when another one has ended/)
})

test('many that come at the same moment do not slip in together', async () => {
  const limits = limitsOf({ concurrentRequests: 3, requestsPerMinute: 50, audioSecondsPerDay: 10 })

  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => limits.enter('a')))

  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
})

test('a request refused for its minute leaves no place behind, and one refused for want of a place costs no minute', async () => {
  const limits = limitsOf({ concurrentRequests: 1, requestsPerMinute: 2 })
  const one = await limits.enter('a')
  await refusalOf(limits) // a place
  one[Symbol.dispose]()
  const two = await limits.enter('a')
  two[Symbol.dispose]()
  await refusalOf(limits) // the minute

  pass(60)

  await expect(limits.enter('a')).resolves.toBeDefined()
})

test('a day of audio: the last recording may be longer than what is left, the next one waits for the day to pass', async () => {
  const limits = limitsOf({ audioSecondsPerDay: 100 })
  await limits.charge('a', 99)
  pass(3600)
  await limits.enter('a')
  await limits.charge('a', 5000)

  const refusal = await refusalOf(limits)

  expect(refusal.retryAfterSeconds).toBe(23 * 3600)
  expect(refusal.message).toMatch(/100 seconds of audio a day.*in 82800 seconds/)
  pass(23 * 3600)
  await expect(limits.enter('a')).resolves.toBeDefined()
})

test('seconds are given back, but never more than the day has taken', async () => {
  const limits = limitsOf({ audioSecondsPerDay: 100 })
  await limits.charge('a', 150)
  await refusalOf(limits)

  await limits.charge('a', -60)
  await limits.enter('a')
  await limits.charge('a', -1000)
  await limits.charge('a', 100)

  expect((await refusalOf(limits)).code).toBe('rate_limit_exceeded')
})

test('what was taken yesterday is not given back today', async () => {
  const limits = limitsOf({ audioSecondsPerDay: 100 })
  await limits.charge('a', 90)
  pass(86_400)

  await limits.charge('a', -90)
  await limits.charge('a', 100)

  expect((await refusalOf(limits)).code).toBe('rate_limit_exceeded')
})

test('each account has limits of its own', async () => {
  const limits = limitsOf({ requestsPerMinute: 1, concurrentRequests: 1, audioSecondsPerDay: 1 })
  await limits.enter('a')
  await limits.charge('a', 1)

  await expect(limits.enter('b')).resolves.toBeDefined()
})
