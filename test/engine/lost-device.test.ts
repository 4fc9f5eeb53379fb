// A GPU that goes away under a child: the next ones are not given a CPU, and a process that will not find it again says so.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { createEngine } from '../../src/engine/engine.ts'
import { until } from '../../src/until.ts'
import { all, child, NEVER, recordingLog } from './children.ts'
import { engineOf, quickClock, request } from './engines.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hviske-lost-'))
  onTestFinished(() => rm(directory, { recursive: true }))
})

/** Whose clock stands still in a long rest. */
function losing(more: Record<string, string> = {}) {
  const { log, entries } = recordingLog()
  const clock = quickClock()
  const sleep = clock.sleep.bind(clock)
  clock.sleep = (ms, signal) => (ms < 60_000 ? sleep(ms, signal) : until(new Promise(() => {}), signal))
  const environment = { ...more, GPU_IS_GONE: join(directory, 'gone') }
  const engine = createEngine({ command: { ...child('loses-its-gpu'), environment }, log, clock })
  onTestFinished(() => engine.stop())
  return { engine, entries, clock }
}

test('five children that find no GPU any more are enough: it is lost, and this is said to who can end the server', async () => {
  const { engine, entries, clock } = losing()
  await engine.start()

  const asking = all(engine.run(request('/a'), NEVER))

  await Promise.all([
    expect(engine.lost).rejects.toThrow('REQUIRE_GPU=1 asks for a GPU.'),
    expect(asking).rejects.toMatchObject({ code: 'engine_resting', status: 503 }),
  ])
  expect(clock.sleptMs).toEqual([500, 1000, 2000, 4000])
  expect(entries).toContainEqual(
    expect.objectContaining({ level: 'error', message: 'the speech engine has lost its device' }),
  )
})

test('meanwhile it rests, so that what waits is taken back and not failed', async () => {
  const { engine } = losing()
  await engine.start()
  await all(engine.run(request('/a'), NEVER)).catch(() => {})

  expect(engine.state()).toMatchObject({ phase: 'resting' })
  await expect(all(engine.run(request('/b'), NEVER))).rejects.toMatchObject({ code: 'engine_resting' })
})

test('where a CPU will do, the next child takes it, and this is said aloud', async () => {
  const { engine, entries } = losing({ CPU_WILL_DO: '1' })
  await engine.start()

  await all(engine.run(request('/a'), NEVER))

  expect(engine.state()).toMatchObject({ phase: 'ready', facts: { device: 'cpu' } })
  expect(entries).toContainEqual(expect.objectContaining({ level: 'warn', was: 'cuda', is: 'cpu' }))
})

test('children that die of anything else rest, and lose nothing', async () => {
  const clock = quickClock()
  const engine = engineOf('dies-when-told', clock)
  let isLost = false
  engine.lost.catch(() => (isLost = true))
  await engine.start()

  for (const path of ['/die', '/die', '/die-once'])
    await all(engine.run(request(path), NEVER)).catch(() => {})
  await all(engine.run(request('/b'), NEVER))

  expect(clock.sleptMs).toContain(60_000)
  expect(isLost).toBe(false)
})
