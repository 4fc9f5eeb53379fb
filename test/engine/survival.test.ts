// The real Python child with its fake model, killed, frozen and poisoned while it works. The fake model says " ord<n>" for
// every half second of sound, so the right text of a recording is known.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { workerCommand } from '../../src/engine/command.ts'
import { createEngine, type Engine, type EngineParts } from '../../src/engine/engine.ts'
import type { EngineEvent, PcmExtent, PcmSource } from '../../src/engine/events.ts'
import { until } from '../../src/until.ts'
import { all, NEVER, recordingLog, whole } from './children.ts'
import { request, segments } from './engines.ts'

const PYTHON = resolve('.venv/bin/python')
let spool: string
let engine: Engine
let log: ReturnType<typeof recordingLog>

beforeAll(async () => {
  spool = await mkdtemp(join(tmpdir(), 'hviske-survival-'))
})
afterEach(() => engine.stop())
afterAll(() => rm(spool, { recursive: true }))

async function start(parts: Partial<EngineParts> = {}): Promise<void> {
  log = recordingLog()
  const clock = { nowMs: () => performance.now(), random: () => 0, sleep: async () => {} }
  engine = createEngine({
    command: workerCommand(PYTHON, ['--fake'], spool),
    log: log.log,
    clock,
    ...parts,
  })
  await engine.start()
}

/** Of all children that have been ready, the living one last. */
const pids = () =>
  log.entries.filter(({ message }) => message.startsWith('ready')).map(({ pid }) => Number(pid))
const signalChild = (signal: NodeJS.Signals) => process.kill(pids().at(-1) ?? Number.NaN, signal)

/** A tone as loud as speech, 16 kHz mono. */
async function recording(name: string, seconds: number): Promise<PcmSource> {
  const samples = Int16Array.from({ length: seconds * 16_000 }, (_, index) => 12_000 * Math.sin(index / 6))
  const path = join(spool, `${name}.pcm`)
  await writeFile(path, new Uint8Array(samples.buffer))
  return whole(path, samples.length)
}

const text = (events: readonly EngineEvent[]) =>
  segments(events)
    .map((segment) => segment.text)
    .join('')
const deltas = (events: readonly EngineEvent[]) =>
  events.map((event) => (event.kind === 'delta' ? event.text : '')).join('')
const spoken = (words: number) => Array.from({ length: words }, (_, index) => ` ord${index}`).join('')

/** How often each window was decoded of the recording that asked for `[[log]]`. */
function decodings(): number[] {
  const counts: number[] = []
  for (const { line } of log.entries) {
    const [, index] = /^window (\d+)$/.exec(String(line)) ?? []
    if (index !== undefined) counts[Number(index)] = (counts[Number(index)] ?? 0) + 1
  }
  return counts
}

test('kill -9 in the middle of ten recordings: all are answered as if nothing had happened', async () => {
  await start()
  const lengths = Array.from({ length: 9 }, (_, index) => 40 + index)
  const shorts = await Promise.all(lengths.map((seconds) => recording(`short-${seconds}`, seconds)))
  const long = request(await recording('long', 600), { language: 'da', wantsDeltas: true })
  const undisturbed = await all(engine.run(long, NEVER))
  let answered = 0
  let answeredBefore = 0
  let doneBefore = 0
  const events: EngineEvent[] = []
  const others: Promise<EngineEvent[]>[] = []

  /** Whose first window tears the child down: the other eight have not been told anything then. */
  const readShort = async (pcm: PcmSource, index: number) => {
    const asked = request(pcm, { prompt: '[[sleep 0.1]]', wantsDeltas: index % 2 === 0 })
    const read = await Array.fromAsync(engine.run(asked, NEVER), (event) => {
      if (event.kind === 'segments' && doneBefore === 0) {
        doneBefore = segments(events).length
        answeredBefore = answered
        signalChild('SIGKILL')
      }
      return event
    })
    answered++
    return read
  }
  for await (const event of engine.run({ ...long, prompt: '[[log]][[sleep 0.02]]' }, NEVER)) {
    events.push(event)
    if (segments(events).length === 3 && others.length === 0) others.push(...shorts.map(readShort))
  }

  const [killed = 0, ...successors] = pids()
  expect(successors).toHaveLength(1)
  expect(() => process.kill(killed, 0)).toThrow('ESRCH') // a zombie would still be there
  expect(segments(events)).toEqual(segments(undisturbed))
  expect(deltas(events)).toBe(text(undisturbed))
  const figures = { windows: segments(undisturbed).length, durationSeconds: 600, speechSeconds: 600 }
  expect(events.at(-1)).toMatchObject({ kind: 'done', ...figures })
  for (const [index, answer] of (await Promise.all(others)).entries()) {
    expect(text(answer)).toBe(spoken(2 * (lengths[index] ?? 0)))
    expect(deltas(answer)).toBe(index % 2 === 0 ? text(answer) : '')
  }
  // What had been told was not decoded again; the windows that were in slots were.
  expect(answeredBefore).toBe(0)
  expect(doneBefore).toBeGreaterThanOrEqual(3)
  expect(decodings().slice(0, doneBefore)).toEqual(Array.from({ length: doneBefore }, () => 1))
  expect(decodings()).toHaveLength(segments(undisturbed).length)
})

test('a recording that takes two children down fails, and nobody beside it', async () => {
  await start()
  const lengths = [35, 64, 100, 33]
  const innocent = await Promise.all(lengths.map((seconds) => recording(`innocent-${seconds}`, seconds)))
  const poison = await recording('poison', 40)

  const answers = innocent.map((pcm) => all(engine.run(request(pcm, { prompt: '[[sleep 0.05]]' }), NEVER)))
  const poisoned = all(engine.run(request(poison, { prompt: '[[crash]]' }), NEVER))

  await expect(poisoned).rejects.toMatchObject({
    code: 'engine_crashed',
    message: expect.stringContaining('stopped twice while it worked on this recording'),
  })
  expect((await Promise.all(answers)).map(text)).toEqual(lengths.map((seconds) => spoken(2 * seconds)))
  expect(pids()).toHaveLength(3)
})

test('of two recordings that kill, each is found out by itself', async () => {
  await start()
  const poisons = await Promise.all(['one', 'two'].map((name) => recording(`poison-${name}`, 3)))
  const innocent = await recording('between', 64)

  const [first, answer, second] = await Promise.allSettled([
    all(engine.run(request(poisons[0] ?? '', { prompt: '[[crash]]' }), NEVER)),
    all(engine.run(request(innocent), NEVER)),
    all(engine.run(request(poisons[1] ?? '', { prompt: '[[crash]]' }), NEVER)),
  ])

  expect(first).toMatchObject({ status: 'rejected', reason: { code: 'engine_crashed' } })
  expect(second).toMatchObject({ status: 'rejected', reason: { code: 'engine_crashed' } })
  expect(answer.status === 'fulfilled' && text(answer.value)).toBe(spoken(128))
  expect(pids()).toHaveLength(4)
})

test('a language that was being detected when the child died is detected by the next one', async () => {
  await start()
  const slow = all(engine.run(request(await recording('slow', 40), { prompt: '[[log]][[sleep 1]]' }), NEVER))
  await expect.poll(() => decodings().length).toBeGreaterThan(0)
  const detected = engine.detectLanguage(await recording('detect', 2), NEVER)

  signalChild('SIGKILL')

  expect(await detected).toMatchObject({ language: 'da', probability: 0.9 })
  expect(text(await slow)).toBe(spoken(80))
  expect(pids()).toHaveLength(2)
})

test('a recording that still grows is taken up again too', async () => {
  await start()
  const { path, extent } = await recording('growing', 160)
  const heard = Promise.withResolvers<void>()
  const growing: PcmSource = {
    path,
    extent: { samples: 100 * 16_000, isComplete: false },
    async grownBeyond(_known: PcmExtent, signal: AbortSignal) {
      await until(heard.promise, signal)
      return extent
    },
  }

  const events = await Array.fromAsync(engine.run(request(growing), NEVER), async (event) => {
    if (event.kind === 'segments' && pids().length === 1) {
      signalChild('SIGKILL')
      await vi.waitUntil(() => pids().length === 2, { timeout: 20_000 })
      heard.resolve()
    }
    return event
  })

  expect(text(events)).toBe(spoken(320))
  expect(events.at(-1)).toMatchObject({ durationSeconds: 160 })
})

test('who reads slowly holds up nobody who has to be tried after a crash', async () => {
  await start()
  const slowReader = engine.run(request(await recording('unread', 64), { prompt: '[[sleep 0.05]]' }), NEVER)
  await slowReader[Symbol.asyncIterator]().next()

  signalChild('SIGKILL')

  expect(text(await all(engine.run(request(await recording('next', 3)), NEVER)))).toBe(spoken(6))
})

test('who gives up after a crash leaves nobody waiting', async () => {
  await start()
  const client = new AbortController()
  const slow = request(await recording('given-up', 64), { prompt: '[[log]][[sleep 0.2]]' })
  const givenUp = all(engine.run(slow, client.signal))
  await expect.poll(() => decodings().length).toBeGreaterThan(0)
  signalChild('SIGKILL')
  await expect.poll(() => engine.state().phase).not.toBe('ready')

  client.abort(new Error('hung up'))

  await expect(givenUp).rejects.toThrow('hung up')
  expect(text(await all(engine.run(request(await recording('after', 3)), NEVER)))).toBe(spoken(6))
})

test('a child that is frozen is replaced, and what it was working on is finished', async () => {
  let beats = 0
  let frozen = Promise.withResolvers<void>()
  await start({
    heartbeat: {
      // Time passes only while it is frozen, and for no longer than it takes to see that.
      async nextBeat(signal) {
        while (beats === 0) await until(frozen.promise, signal)
        if (--beats === 0) frozen = Promise.withResolvers()
      },
      mostUnanswered: 3,
      mostUnansweredWhileLoading: 1000,
      mostInOneTurn: 60,
    },
  })
  const events: EngineEvent[] = []

  for await (const event of engine.run(
    request(await recording('frozen', 200), { prompt: '[[sleep 0.05]]' }),
    NEVER,
  )) {
    events.push(event)
    if (events.length > 1) continue
    signalChild('SIGSTOP')
    beats = 5
    frozen.resolve()
  }

  expect(text(events)).toBe(spoken(400))
  expect(pids()).toHaveLength(2)
  expect(log.entries).toContainEqual(
    expect.objectContaining({
      level: 'error',
      cause: expect.objectContaining({ message: expect.stringContaining('did not answer a ping') }),
    }),
  )
})

test('a child that stands still in its work is replaced, and so a recording that it always stands still at fails', async () => {
  const nextBeat = (signal: AbortSignal) => sleep(20, undefined, { signal })
  await start({
    heartbeat: { nextBeat, mostUnanswered: 1000, mostUnansweredWhileLoading: 1000, mostInOneTurn: 10 },
  })
  const endless = request(await recording('endless', 2), { prompt: '[[sleep 3600]]' })

  await expect(all(engine.run(endless, NEVER))).rejects.toMatchObject({
    code: 'engine_crashed',
    cause: { cause: { message: expect.stringContaining('stood still in the middle of its work') } },
  })

  expect(text(await all(engine.run(request(await recording('free', 3)), NEVER)))).toBe(spoken(6))
  // Where it stood, of its own hand, before it was killed.
  const crash = log.entries.find(({ message }) => message.includes('crashed'))
  expect(String(crash?.stderr)).toMatch(/File ".*fake_model\.py", line \d+ in \w+/)
})
