// Children under watch: one that stops while it loads, and what a child tells of itself with each heartbeat.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { workerCommand } from '../../src/engine/command.ts'
import { createEngine } from '../../src/engine/engine.ts'
import type { EnginePulse } from '../../src/engine/state.ts'
import { all, child, NEVER, recordingLog, SILENT, whole } from './children.ts'
import { request } from './engines.ts'

test('a child that is frozen while it loads is replaced', async () => {
  const log = recordingLog()
  let beats = 0
  const engine = createEngine({
    command: child('freezes-while-loading'),
    log: log.log,
    stopDeadlines: { shutdownMs: 50, terminateMs: 50 },
    heartbeat: {
      async nextBeat(signal) {
        // Before it says that it loads there is another deadline.
        const isLoading = () => log.entries.some(({ message }) => message.includes('weights'))
        await vi.waitUntil(() => signal.aborted || isLoading(), 20_000)
        signal.throwIfAborted()
        beats++
      },
      mostUnanswered: 1,
      mostUnansweredWhileLoading: 4,
      mostInOneTurn: 60,
    },
  })
  onTestFinished(() => engine.stop())
  engine.start().catch(() => {}) // it never will

  await vi.waitUntil(() => log.entries.some(({ message }) => message.includes('crashed')), 20_000)

  expect(beats).toBeGreaterThanOrEqual(5) // one before the first ping
  expect(log.entries).toContainEqual(
    expect.objectContaining({
      cause: expect.objectContaining({ message: 'it did not answer a ping for 4 heartbeats' }),
    }),
  )
})

test('a child tells with its heartbeat how many slots its steps have found in use', async () => {
  const pulses: EnginePulse[] = []
  const nextBeat = (signal: AbortSignal) => sleep(5, undefined, { signal })
  const heartbeat = { nextBeat, mostUnanswered: 9999, mostUnansweredWhileLoading: 9999, mostInOneTurn: 9999 }
  const spool = await mkdtemp(join(tmpdir(), 'hviske-pulse-'))
  onTestFinished(() => rm(spool, { recursive: true }))
  const engine = createEngine({
    command: workerCommand(resolve('.venv/bin/python'), ['--fake'], spool),
    log: SILENT,
    heartbeat,
    onPulse: (pulse) => pulses.push(pulse),
  })
  onTestFinished(() => engine.stop())
  await engine.start()
  const path = join(spool, 'tone.pcm')
  const samples = Int16Array.from({ length: 40 * 16_000 }, (_, index) => 12_000 * Math.sin(index / 6))
  await writeFile(path, new Uint8Array(samples.buffer))
  const recordings = Array.from({ length: 3 }, () => whole(path, samples.length))

  await Promise.all(recordings.map((pcm) => all(engine.run(request(pcm), NEVER))))

  await expect.poll(() => pulses.at(-1)?.slotSteps, { timeout: 20_000 }).toBeGreaterThanOrEqual(6) // windows, of which each takes a slot for a step
  expect(pulses.at(-1)?.steps).toBeGreaterThan(0)
  expect(pulses.at(-1)).not.toHaveProperty('gpu')
  expect(pulses.map(({ steps }) => steps)).toEqual(pulses.map(({ steps }) => steps).toSorted((a, b) => a - b))
})
