import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FailedKeys } from '../../src/limits/failed-keys.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

async function fail(failedKeys: FailedKeys, times: number, address = '1.2.3.4'): Promise<void> {
  for (let time = 0; time < times; time++) await failedKeys.judge(address, undefined)
}

test('after so many wrong keys nothing more is looked at, good or not, until the minute has passed', async () => {
  const failedKeys = new FailedKeys(3)
  await fail(failedKeys, 2)
  vi.advanceTimersByTime(15_000)
  await fail(failedKeys, 1)
  const refusal = { code: 'rate_limit_exceeded', retryAfterSeconds: 45 }

  await expect(failedKeys.judge('1.2.3.4', undefined)).rejects.toMatchObject(refusal)
  await expect(failedKeys.judge('1.2.3.4', 'the-right-one')).rejects.toMatchObject(refusal)
  await failedKeys.judge('5.6.7.8', undefined)

  vi.advanceTimersByTime(45_000)
  await failedKeys.judge('1.2.3.4', 'the-right-one')
})

test('a client that has come from there before is let in all the same, others are not', async () => {
  const failedKeys = new FailedKeys(3)
  await failedKeys.judge('1.2.3.4', 'regular')
  await fail(failedKeys, 3)

  await failedKeys.judge('1.2.3.4', 'regular')
  await expect(failedKeys.judge('1.2.3.4', 'new')).rejects.toThrow(/Too many keys/)
})

test('refusals do not make the wait longer', async () => {
  const failedKeys = new FailedKeys(1)
  await fail(failedKeys, 1)
  vi.advanceTimersByTime(30_000)
  await expect(failedKeys.judge('1.2.3.4', undefined)).rejects.toMatchObject({ retryAfterSeconds: 30 })

  vi.advanceTimersByTime(30_000)

  await failedKeys.judge('1.2.3.4', undefined)
})

test('0 is no limit', async () => {
  const failedKeys = new FailedKeys(0)

  await expect(fail(failedKeys, 1000)).resolves.toBeUndefined()
})

test('of too many clients the one that has not come for longest is forgotten', async () => {
  const failedKeys = new FailedKeys(1)
  await failedKeys.judge('1.2.3.4', 'first')
  await failedKeys.judge('1.2.3.4', 'second')
  await failedKeys.judge('1.2.3.4', 'first')
  for (let client = 0; client < 9999; client++) await failedKeys.judge('5.6.7.8', `client ${client}`)
  await fail(failedKeys, 1)

  await failedKeys.judge('1.2.3.4', 'first')
  await expect(failedKeys.judge('1.2.3.4', 'second')).rejects.toThrow(/Too many keys/)
})
