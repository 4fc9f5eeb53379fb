// The real Python child with its fake model, parked at the edges of windows, and another one that goes on.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { joinCheckpoints } from '../../src/engine/checkpoints.ts'
import { workerCommand } from '../../src/engine/command.ts'
import { createEngine, type Engine } from '../../src/engine/engine.ts'
import type { EngineEvent, EngineRequest, PcmSource } from '../../src/engine/events.ts'
import { Failure } from '../../src/failure.ts'
import { all, NEVER, recordingLog, whole } from './children.ts'
import { numberedText, request, segments } from './engines.ts'

const PYTHON = resolve('.venv/bin/python')
const SECONDS = 300
const log = recordingLog()
const firstLog = recordingLog()
let spool: string
/** The one begins, the other goes on. */
let engines: [Engine, Engine]
let pcm: PcmSource

beforeAll(async () => {
  spool = await mkdtemp(join(tmpdir(), 'hviske-parking-'))
  const command = workerCommand(PYTHON, ['--fake'], spool)
  engines = [createEngine({ command, log: firstLog.log }), createEngine({ command, log: log.log })]
  await Promise.all(engines.map((engine) => engine.start()))
  const samples = Int16Array.from({ length: SECONDS * 16_000 }, (_, index) => 12_000 * Math.sin(index / 6))
  const path = join(spool, 'tone.pcm')
  await writeFile(path, new Uint8Array(samples.buffer))
  pcm = whole(path, samples.length)
})
afterAll(async () => {
  await Promise.all(engines.map((engine) => engine.stop()))
  await rm(spool, { recursive: true })
})

const stopping = () => new Failure('shutting_down', 'The server is shutting down.')

const asked = (more: Partial<EngineRequest> = {}) =>
  request(pcm, { wantsCheckpoints: true, prompt: '[[log]]', ...more })

/** Until so many windows are done, or from there to the end; and what was stored, as it comes back. */
async function run(engine: Engine, edge: number, more: Partial<EngineRequest> = {}) {
  const park = new AbortController()
  const events: EngineEvent[] = []
  const stored: unknown[] = []
  const ended = await Array.fromAsync(
    engine.run(asked({ ...more, park: park.signal }), NEVER),
    (event: EngineEvent) => {
      events.push(event)
      if (event.kind !== 'checkpoint') return
      stored.push(JSON.parse(JSON.stringify(event.checkpoint)))
      if (event.checkpoint.windows >= edge) park.abort(stopping())
    },
  ).catch((error: unknown) => error)
  return { events, stored, ended }
}

/** How often each window was decoded by the one that goes on. */
function decodings(): number[] {
  const counts: number[] = []
  for (const { line } of log.entries) {
    const [, index] = /^window (\d+)$/.exec(String(line)) ?? []
    if (index !== undefined) counts[Number(index)] = (counts[Number(index)] ?? 0) + 1
  }
  return counts
}

const windowsIn = (events: readonly EngineEvent[]) =>
  events.flatMap((event) => (event.kind === 'checkpoint' ? [event.checkpoint.firstWindow] : []))
/** Until so many windows were done. */
const upTo = (edge: number, events: readonly EngineEvent[]) =>
  events.slice(
    0,
    1 + events.findIndex((event) => event.kind === 'checkpoint' && event.checkpoint.windows === edge),
  )
const doneOf = (events: readonly EngineEvent[]) => {
  const done = events.at(-1)
  if (done?.kind !== 'done') throw new Error('it did not end')
  const { timings: _, ...figures } = done
  return figures
}

test('each window is followed by its checkpoint, and only who wants them is told', async () => {
  const told = await all(engines[0].run(asked(), NEVER))
  const notTold = await all(engines[0].run(asked({ wantsCheckpoints: false }), NEVER))

  const kinds = told.map(({ kind }) => kind)
  expect(kinds.join(' ')).toMatch(/^(segments checkpoint progress )+done$/)
  expect(notTold.map(withoutTimings)).toEqual(
    told.filter(({ kind }) => kind !== 'checkpoint').map(withoutTimings),
  )
})

/** How long it took is never the same. */
function withoutTimings(event: EngineEvent): object {
  return event.kind === 'done' ? { ...event, timings: undefined } : event
}

test('a recording that is parked at any window, and gone on with elsewhere, says what it would have said', async () => {
  const undisturbed = await all(engines[0].run(asked(), NEVER))
  const windows = windowsIn(undisturbed)
  expect(windows.length).toBeGreaterThan(8)
  const before = decodings()

  for (const edge of windows.slice(1)) {
    const first = await run(engines[0], edge)
    // It may have come an edge further before it was parked; as far as the next one knows, it has not.
    const told = upTo(edge, first.events)
    const resumeFrom = joinCheckpoints(first.stored.slice(0, edge))
    const second = await run(engines[1], Number.POSITIVE_INFINITY, { resumeFrom })

    expect(windowsIn([...told, ...second.events])).toEqual(windows)
    expect(numberedText([...told, ...second.events])).toBe(numberedText(undisturbed))
    expect(doneOf(second.events)).toEqual(doneOf(undisturbed))
  }

  // Window 3 three times, after the edges 1, 2 and 3: what is done is not decoded again.
  const expected = windows.map((window) => window + (before[window] ?? 0))
  await expect.poll(() => windows.map((window) => decodings()[window] ?? 0)).toEqual(expected)
})

test('a recording that is parked at every window still comes to its end', async () => {
  const undisturbed = await all(engines[0].run(asked(), NEVER))
  const stored: unknown[] = []
  const told: EngineEvent[] = []
  const endings: string[] = []

  for (let edge = 1; told.at(-1)?.kind !== 'done'; edge++) {
    const part = await run(engines[edge % 2] ?? engines[0], edge, { resumeFrom: joinCheckpoints(stored) })
    endings.push(part.ended instanceof Failure ? part.ended.code : 'done')
    stored.push(...part.stored)
    told.push(...part.events)
  }

  expect(endings[0]).toBe('shutting_down')
  expect(windowsIn(told)).toEqual(windowsIn(undisturbed))
  expect(numberedText(told)).toBe(numberedText(undisturbed))
  expect(doneOf(told)).toEqual(doneOf(undisturbed))
})

test('who is parked with all windows done gets the end of it without any work', async () => {
  const { stored, events } = await run(engines[0], Number.POSITIVE_INFINITY)

  // Told to fail, it would fail with the first window that it decodes.
  const failing = asked({ prompt: '[[fail]]', resumeFrom: joinCheckpoints(stored) })
  const rest = await all(engines[1].run(failing, NEVER))

  expect(rest.map(({ kind }) => kind)).toEqual(['done'])
  expect({ ...doneOf(rest), promptTokens: 0 }).toEqual({ ...doneOf(events), promptTokens: 0 })
})

test('what guards did before is told in the end too', async () => {
  const { stored } = await run(engines[0], 2)
  const joined = joinCheckpoints(stored)
  if (joined === undefined) throw new Error('nothing was stored')
  const judged = { reason: 'silence', startSeconds: 1, endSeconds: 2, text: ' Tak.' }

  const rest = await all(
    engines[1].run(asked({ resumeFrom: { ...joined, dropped: [judged], warnings: [judged] } }), NEVER),
  )

  expect(doneOf(rest)).toMatchObject({ dropped: [judged], warnings: [judged] })
})

test.each([
  ['another model', (engine: EngineOf) => ({ ...engine, maker: 'protocol 3, another, 1, energy' })],
  [
    'a detector that divides otherwise',
    (engine: EngineOf) => ({
      ...engine,
      place: { ...engine.place, samples: engine.place.samples + 1 },
    }),
  ],
  ['nobody we know', () => ({ maker: 3 })],
])('what %s has begun is begun again, and says so first', async (_who, change) => {
  const { stored } = await run(engines[0], 3)
  const joined = joinCheckpoints(stored)
  if (joined === undefined) throw new Error('nothing was stored')
  const foreign = { ...joined, engine: change(joined.engine as EngineOf) }

  const { events, stored: later } = await run(engines[1], Number.POSITIVE_INFINITY, { resumeFrom: foreign })

  expect(events[0]).toEqual({ kind: 'begun_again' })
  const undisturbed = await all(engines[0].run(asked(), NEVER))
  expect(numberedText(events)).toBe(numberedText(undisturbed))
  expect(doneOf(events)).toEqual(doneOf(undisturbed))
  // Whoever only ever appends what is told still has the right thing.
  expect(joinCheckpoints([...stored, ...later])?.segments).toEqual(segments(undisturbed))
})

interface EngineOf {
  readonly maker: string
  readonly place: { readonly samples: number }
}

test('a failure that is the recording’s own is not tried a third time', async () => {
  const { stored } = await run(engines[0], 3)
  const failing = asked({ prompt: '[[fail]]', resumeFrom: joinCheckpoints(stored) })

  await expect(all(engines[1].run(failing, NEVER))).rejects.toMatchObject({ code: 'engine_failed' })
})

test('who is parked before any child was asked is told at once', async () => {
  const engine = createEngine({ command: workerCommand(PYTHON, ['--fake'], spool), log: log.log })
  const park = new AbortController()
  const waiting = all(engine.run(asked({ park: park.signal }), NEVER)) // it has not been started: nobody is ready

  park.abort(stopping())

  await expect(waiting).rejects.toMatchObject({ code: 'shutting_down' })
  await expect(all(engines[0].run(asked({ park: park.signal }), NEVER))).rejects.toBe(park.signal.reason)
  await engine.stop()
})

const beginnings = () => firstLog.entries.filter(({ line }) => String(line).startsWith('window ')).length

test('who cannot wait for the edge of a window is let go at once', async () => {
  const park = new AbortController()
  const client = new AbortController()
  const slow = asked({ prompt: '[[log]][[sleep 2]]', park: park.signal })
  const begun = beginnings()
  const answer = all(engines[0].run(slow, client.signal))
  await expect.poll(beginnings).toBeGreaterThan(begun)

  park.abort(stopping())
  client.abort(new Error('the deadline'))

  await expect(answer).rejects.toThrow('the deadline')
})
