// Children that die: what their engine's callers notice of it, and when the next one starts.
import { expect, test } from 'vitest'
import type { EngineEvent } from '../../src/engine/events.ts'
import { backoffMs } from '../../src/engine/supervisor.ts'
import { all, NEVER, recordingLog } from './children.ts'
import { engineOf, numberedText as text, quickClock, request } from './engines.ts'

test('a crash is not noticed by who is answered: the next child goes on where the last one died', async () => {
  const { log, entries } = recordingLog()
  const clock = quickClock()
  const engine = engineOf('dies-when-told', clock, log)
  await engine.start()

  const events = await all(engine.run(request('/die-once'), NEVER))

  expect(text(events)).toBe('0 /die-once|1 end.')
  expect(clock.sleptMs).toEqual([500])
  expect(entries).toContainEqual(
    expect.objectContaining({ level: 'error', stderr: ['Segmentation fault (core dumped)'] }),
  )
  expect(entries.filter(({ message }) => message === 'ready: fixture on fixture')).toHaveLength(2)
})

test('a recording that two children die of fails alone, after what was said of it', async () => {
  const engine = engineOf('dies-when-told')
  await engine.start()
  const events: EngineEvent[] = []

  const reading = Array.fromAsync(engine.run(request('/die'), NEVER), (event) => events.push(event))

  await expect(reading).rejects.toMatchObject({
    code: 'engine_crashed',
    message: expect.stringContaining('stopped twice'),
    cause: { message: "the speech engine's process exited with code 9" },
  })
  expect(text(events)).toBe('0 /die')
  expect(text(await all(engine.run(request('/b'), NEVER)))).toBe('0 /b|1 end.')
})

test('a child that keeps dying is restarted ever more slowly, and then rests', async () => {
  const clock = quickClock()
  const engine = engineOf('dies-when-told', clock)
  await engine.start()

  for (const path of ['/die', '/die', '/die-once'])
    await all(engine.run(request(path), NEVER)).catch(() => {})
  await all(engine.run(request('/b'), NEVER))

  expect(clock.sleptMs).toEqual([500, 1000, 2000, 4000, 60_000])
})

test('a child that has answered somebody has earned a quick restart', async () => {
  const clock = quickClock()
  const engine = engineOf('dies-when-told', clock)
  await engine.start()

  for (let time = 0; time < 6; time++) await all(engine.run(request('/die-once'), NEVER))

  expect(clock.sleptMs).toEqual([500, 500, 500, 500, 500, 500])
})

test('what prints into the protocol ends the child, and what it was working on is finished by the next', async () => {
  const engine = engineOf('dies-when-told')
  await engine.start()

  expect(text(await all(engine.run(request('/garbage-once'), NEVER)))).toBe('0 /garbage-once|1 end.')
})

test('a child that was ready for a while has earned a quick restart', async () => {
  const clock = quickClock()
  let nowMs = 0
  clock.nowMs = () => (nowMs += 61_000)
  const engine = engineOf('dies-when-told', clock)
  await engine.start()

  await expect(all(engine.run(request('/die'), NEVER))).rejects.toMatchObject({ code: 'engine_crashed' })
  await all(engine.run(request('/b'), NEVER))

  expect(clock.sleptMs).toEqual([500, 500])
})

test.each([
  [1, 0, 500],
  [2, 0, 1000],
  [4, 0, 4000],
  [5, 0, 60_000],
  [6, 0, 120_000],
  [7, 0, 240_000],
  [1000, 0, 300_000],
  [2, 1, 750],
])('death %i in a row, with chance at %d, waits %i ms', (deaths, random, expectedMs) => {
  expect(backoffMs(deaths, random)).toBe(expectedMs)
})
