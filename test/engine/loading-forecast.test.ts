import { expect, test } from 'vitest'
import { createEngine } from '../../src/engine/engine.ts'
import { LoadingForecast } from '../../src/engine/loading-forecast.ts'
import { child, recordingLog } from './children.ts'

/** A forecast on a clock of its own, and children that become ready and leave when the test says so. */
function watch() {
  const clock = { seconds: 0 }
  const forecast = new LoadingForecast(() => clock.seconds * 1000)
  const start = () => {
    const ready = Promise.withResolvers<void>()
    const exited = Promise.withResolvers<void>()
    forecast.follow({ ready: ready.promise, exited: exited.promise })
    return {
      becomesReady: async () => {
        ready.resolve()
        await Promise.resolve()
      },
      dies: async () => {
        ready.reject(new Error('gone'))
        exited.resolve()
        await new Promise((resolve) => setImmediate(resolve))
      },
    }
  }
  const tell = (stage: 'downloading' | 'loading', fraction: number | null) =>
    forecast.progress({ kind: 'loading', stage, message: '', fraction })
  return { clock, forecast, start, tell }
}

test('a download ends when it goes on as it does', () => {
  const { clock, forecast, start, tell } = watch()
  start()
  clock.seconds = 10
  tell('downloading', 0.2) // some of it was there already
  clock.seconds = 30
  tell('downloading', 0.3)

  expect(forecast.secondsLeft()).toBeCloseTo(140)
})

test('a download that stands still ends later and later', () => {
  const { clock, forecast, start, tell } = watch()
  start()
  tell('downloading', 0)
  clock.seconds = 10
  tell('downloading', 0.5)

  clock.seconds = 40

  expect(forecast.secondsLeft()).toBeCloseTo(40)
})

test('what has no measure will take as long again as it has taken', () => {
  const { clock, forecast, start, tell } = watch()
  start()
  tell('loading', null)
  expect(forecast.secondsLeft()).toBe(0)

  clock.seconds = 45

  expect(forecast.secondsLeft()).toBe(45)
})

test('how long the download took says nothing about the loading after it', () => {
  const { clock, forecast, start, tell } = watch()
  start()
  tell('downloading', 0)
  clock.seconds = 1200
  tell('downloading', 1)
  tell('loading', null)

  clock.seconds = 1210

  expect(forecast.secondsLeft()).toBe(10)
})

test('an engine that is loading says for how long still', async () => {
  await using engine = createEngine({ command: child('never-gets-ready'), log: recordingLog().log })
  const started = engine.start()
  started.catch(() => {}) // it ends with the engine
  await expect.poll(() => engine.state()).toMatchObject({ phase: 'loading', fraction: 0.42 })

  expect(engine.state()).toMatchObject({ readyInSeconds: expect.any(Number) as number })
})

test('after a crash it will take as long as the last time, without the download', async () => {
  const { clock, forecast, start, tell } = watch()
  const first = start()
  clock.seconds = 1000
  tell('downloading', 1)
  clock.seconds = 1020
  await first.becomesReady()
  clock.seconds = 5000
  await first.dies()
  start()

  clock.seconds = 5005

  expect(forecast.secondsLeft()).toBe(15)
})

test('children that die before they are ready make the wait look longer, not new', async () => {
  const { clock, forecast, start } = watch()
  await start().dies()
  clock.seconds = 20
  await start().dies()
  clock.seconds = 40
  start()

  expect(forecast.secondsLeft()).toBe(40)
})
