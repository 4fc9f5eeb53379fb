// A child that keeps dying: its server leaves it alone for a while, says so at once, and tries again.
import { expect, test, vi } from 'vitest'
import type { Engine } from '../../src/engine/engine.ts'
import type { Clock } from '../../src/engine/supervisor.ts'
import { until } from '../../src/until.ts'
import { all, NEVER } from './children.ts'
import { engineOf, request } from './engines.ts'

let engine: Engine

/** Short waits take no time; a long one ends when the test lets it. */
class RestingClock implements Clock {
  readonly rests: number[] = []
  #now = 1_000_000
  #rest = Promise.withResolvers<void>()
  #begun = Promise.withResolvers<void>()

  nowMs(): number {
    return this.#now
  }

  random(): number {
    return 0
  }

  pass(ms: number): void {
    this.#now += ms
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (ms < 60_000) return
    this.rests.push(ms)
    this.#begun.resolve()
    await until(this.#rest.promise, signal)
  }

  async restBegins(): Promise<void> {
    await this.#begun.promise
  }

  async endRest(): Promise<void> {
    this.#rest.resolve()
    this.#rest = Promise.withResolvers()
    this.#begun = Promise.withResolvers()
    await vi.waitUntil(() => engine.state().phase !== 'resting', 20_000)
  }
}

const run = (path: string) => all(engine.run(request(path), NEVER))

/** An engine whose child has just died for the fifth time in a row. */
async function worn() {
  const clock = new RestingClock()
  engine = engineOf('dies-when-told', clock)
  await engine.start()
  for (const path of ['/die', '/die']) await run(path).catch(() => {})
  await Promise.all([
    expect(run('/die-once')).rejects.toMatchObject({ code: 'engine_resting', status: 503 }),
    clock.restBegins(),
  ])
  return clock
}

test('after five deaths in a row it rests, and says for how long', async () => {
  const clock = await worn()
  clock.pass(18_000)

  expect(engine.state()).toEqual({
    phase: 'resting',
    message: 'The speech engine died 5 times in a row and rests. The next try begins in 42 s.',
    retryInSeconds: 42,
  })
  await expect(run('/b')).rejects.toMatchObject({ code: 'engine_resting', retryAfterSeconds: 42 })
})

test('then one more try is made, and what comes is answered', async () => {
  const clock = await worn()

  await clock.endRest()

  expect(await run('/b')).toContainEqual(expect.objectContaining({ kind: 'done' }))
  expect(engine.state()).toMatchObject({ phase: 'ready' })
})

test('when that dies too, it rests twice as long, up to five minutes', async () => {
  const clock = await worn()

  for (let tries = 0; tries < 4; tries++) {
    await clock.endRest()
    await Promise.all([
      expect(run('/die-once')).rejects.toMatchObject({ code: 'engine_resting' }),
      clock.restBegins(),
    ])
  }

  expect(clock.rests).toEqual([60_000, 120_000, 240_000, 300_000, 300_000])
})

test('an engine that rests can be stopped', async () => {
  await worn()

  await engine.stop()

  expect(engine.state()).toEqual({ phase: 'stopped' })
})
