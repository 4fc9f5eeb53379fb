// A recording that is transcribed while it is still decoded: on fakes first, then with a real engine and a real file.
import { expect, onTestFinished, test } from 'vitest'
import { decode } from '../src/audio/decode.ts'
import { createEngine } from '../src/engine/engine.ts'
import { Failure } from '../src/failure.ts'
import { Admission } from '../src/queue/admission.ts'
import { Workload } from '../src/queue/workload.ts'
import { createTranscriber } from '../src/transcriber.ts'
import { collect, type TranscriptEvent } from '../src/transcript.ts'
import { openObedientFfmpeg, openWorkbench } from './audio/recordings.ts'
import { child, recordingLog } from './engine/children.ts'
import { DETECTED, NEVER, NOTHING_LEFT, OPTIONS, road, untilAborted } from './road.ts'

test('a recording reaches the engine while it is still decoded, and its length is told when it is known', async () => {
  const { transcriber, slow, left } = road()
  const kinds: string[] = []

  for await (const event of transcriber.transcribe({ path: '/slow' }, OPTIONS, NEVER)) {
    kinds.push(event.kind)
    if (event.kind === 'progress') slow.finish()
  }

  expect(kinds).toEqual(['segments', 'progress', 'decoded', 'segments', 'done'])
  expect(left()).toEqual(NOTHING_LEFT)
})

test('the turn at ffmpeg lasts until ffmpeg has ended', async () => {
  const { transcriber, slow, left } = road()
  const turnsTaken: number[] = []

  for await (const event of transcriber.transcribe({ path: '/slow' }, OPTIONS, NEVER)) {
    turnsTaken.push(left().decoding.active)
    if (event.kind === 'progress') slow.finish()
  }

  expect(turnsTaken).toEqual([1, 1, 0, 0, 0])
})

const BROKEN = new Failure('invalid_audio', 'it ends in the middle', { param: 'file' })

test('a recording that breaks while it waits for its turn does not wait any longer', async () => {
  const { transcriber, transcribing, slow, left } = road()
  const other = await transcribing.enter({}, NEVER)
  const answer = collect(transcriber.transcribe({ path: '/slow' }, OPTIONS, NEVER))
  await expect.poll(() => transcribing.state().waiting).toBe(1)

  slow.break(BROKEN)

  await expect(answer).rejects.toBe(BROKEN)
  expect(left()).toEqual({ ...NOTHING_LEFT, transcribing: { active: 1, waiting: 0 } })
  other[Symbol.dispose]()
})

test('a recording that breaks while the engine works on it is given up there, and the client hears why', async () => {
  const { transcriber, slow, left } = road({ run: untilAborted })

  const reading = Array.fromAsync(transcriber.transcribe({ path: '/slow' }, OPTIONS, NEVER), () =>
    slow.break(BROKEN),
  )

  await expect(reading).rejects.toBe(BROKEN)
  expect(left()).toEqual(NOTHING_LEFT)
})

test.each(['segments', 'progress'])(
  'a reader who leaves a growing recording at `%s` leaves nothing behind',
  async (kind) => {
    const { transcriber, left } = road()

    for await (const event of transcriber.transcribe({ path: '/slow' }, OPTIONS, NEVER)) {
      if (event.kind === kind) break
    }

    expect(left()).toEqual(NOTHING_LEFT)
  },
)

test('a language that is found early ends the decoding, and no length is made up', async () => {
  const { transcriber, left } = road()

  expect(await transcriber.detectLanguage({ path: '/slow' }, NEVER)).toEqual(DETECTED)
  expect(left()).toEqual(NOTHING_LEFT)
})

/** The first heartbeat has the id 1: it is sent as soon as the child is ready. */
const CANCEL = 'cancel 2'

/** Everything is real but ffmpeg, which waits for orders, and the model, which repeats what it is told of the samples. */
async function realRoad() {
  const bench = await openWorkbench()
  onTestFinished(() => bench[Symbol.asyncDispose]())
  const { ffmpeg, inputPath, order, ...obedient } = await openObedientFfmpeg(bench)
  onTestFinished(() => obedient[Symbol.asyncDispose]())
  const { log, entries } = recordingLog()
  const engine = createEngine({ command: child('repeats-growth'), log })
  onTestFinished(() => engine.stop())
  await engine.start()
  const [decoding, transcribing] = [new Admission({ places: 1 }), new Admission({ places: 1 })]
  const limits = { directory: bench.spool, maxSeconds: 3600 }
  const workload = new Workload({ places: 1, maxWaiting: 10, isWorking: () => true, nowMs: () => 0 })
  const transcriber = createTranscriber({
    workload,
    decode: (path, signal) => decode(ffmpeg, path, limits, signal),
    decoding,
    transcribing,
    engine,
  })
  const left = async () => ({
    pcm: (await bench.spooled()).length,
    decoding: decoding.state(),
    transcribing: transcribing.state(),
  })
  return { transcriber, source: { path: inputPath }, order, left, entries }
}

const told = (event: TranscriptEvent) =>
  event.kind === 'segments' ? event.segments.map(({ text }) => Number(text)) : []

test('a long file reaches the engine before it is decoded to its end', async () => {
  const { transcriber, source, order, left } = await realRoad()
  const samples: number[] = []
  const kinds: string[] = []

  // Nothing more is decoded until the engine has answered: this ends only if it need not wait for the rest.
  for await (const event of transcriber.transcribe(source, OPTIONS, NEVER)) {
    kinds.push(event.kind)
    if (event.kind !== 'segments') continue
    samples.push(...told(event))
    await order(samples.length < 3 ? 20 : 'end')
  }

  expect(samples[0]).toBeGreaterThanOrEqual(35 * 16_000)
  expect(samples.at(-1)).toBe(80 * 16_000)
  expect(samples).toEqual(samples.toSorted((a, b) => a - b))
  expect(kinds.at(-1)).toBe('done')
  expect(kinds.filter((kind) => kind === 'decoded')).toHaveLength(1)
  expect(await left()).toEqual(NOTHING_LEFT)
})

test('a file that breaks after its first minute is refused, and its request is cancelled', async () => {
  const { transcriber, source, order, left, entries } = await realRoad()
  const samples: number[] = []

  const reading = Array.fromAsync(transcriber.transcribe(source, OPTIONS, NEVER), async (event) => {
    samples.push(...told(event))
    await order(samples.length < 2 ? 20 : 'fail')
  })

  await expect(reading).rejects.toMatchObject({ code: 'invalid_audio', status: 400, param: 'file' })
  expect(samples.length).toBeGreaterThanOrEqual(2)
  expect(await left()).toEqual(NOTHING_LEFT)
  await expect.poll(() => entries.map(({ line }) => line)).toContain(CANCEL)
})

test('a client that hangs up on a growing recording leaves nothing behind', async () => {
  const { transcriber, source, left, entries } = await realRoad()
  const client = new AbortController()

  const reading = Array.fromAsync(transcriber.transcribe(source, OPTIONS, client.signal), () =>
    client.abort(new Error('the client hung up')),
  )

  await expect(reading).rejects.toThrow('the client hung up')
  expect(await left()).toEqual(NOTHING_LEFT)
  await expect.poll(() => entries.map(({ line }) => line)).toContain(CANCEL)
})

test('the language of a long file is told before it is decoded to its end, which is then given up', async () => {
  const { transcriber, source, left } = await realRoad()

  const detected = await transcriber.detectLanguage(source, NEVER)

  expect(detected).toMatchObject({ language: 'da', probability: 0.9 })
  expect(detected).not.toHaveProperty('durationSeconds')
  expect(await left()).toEqual(NOTHING_LEFT)
})
