// How long a promise is waited for.
import { expect, test } from 'vitest'
import { until } from '../src/until.ts'

test('what is waited for comes, or fails as it failed', async () => {
  const { signal } = new AbortController()

  expect(await until(Promise.resolve(7), signal)).toBe(7)
  await expect(until(Promise.reject(new Error('away')), signal)).rejects.toThrow('away')
})

test.each([
  ['before', () => AbortSignal.abort(new Error('over'))],
  ['while', () => AbortSignal.timeout(1)],
])(
  'a signal that aborts %s one waits ends the wait, and the failure that follows is nobody’s',
  async (_when, signalOf) => {
    const unheard: unknown[] = []
    const hear = (reason: unknown) => unheard.push(reason)
    process.on('unhandledRejection', hear)
    const { promise, reject } = Promise.withResolvers<never>()
    const signal = signalOf()

    const ended = await until(promise, signal).catch((reason: unknown) => ({ reason }))
    reject(new Error('Connection is closed.'))
    await new Promise(setImmediate) // Node tells of unhandled rejections before its next turn
    process.off('unhandledRejection', hear)

    expect({ ended, unheard }).toEqual({ ended: { reason: signal.reason }, unheard: [] })
  },
)
