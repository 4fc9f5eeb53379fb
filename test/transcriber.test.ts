import { expect, test } from 'vitest'
import type { EngineRequest } from '../src/engine/events.ts'
import { collect } from '../src/transcript.ts'
import {
  ALL,
  crash,
  DETECTED,
  DONE,
  NEVER,
  NOTHING_LEFT,
  OPTIONS,
  road,
  segment,
  twoWindows,
  untilAborted,
} from './road.ts'

test('the events come in order, and the transcript is what they said', async () => {
  const { transcriber, left } = road()

  const events = await Array.fromAsync(transcriber.transcribe({ path: '/a' }, OPTIONS, NEVER))

  expect(events.map((event) => event.kind)).toEqual(['decoded', 'segments', 'progress', 'segments', 'done'])
  expect(events.at(-1)).toEqual({
    kind: 'done',
    transcript: {
      task: 'transcribe',
      text: 'Rødgrød med fløde.',
      language: 'da',
      languageProbability: 0.9,
      durationSeconds: 2,
      promptTokens: 0,
      segments: [segment(0, ' Rødgrød'), segment(1, ' med fløde.')],
      dropped: DONE.dropped,
      warnings: DONE.warnings,
    },
  })
  expect(left()).toEqual(NOTHING_LEFT)
})

test('a transcript is collected without anything left behind', async () => {
  const { transcriber, left } = road()

  expect((await collect(transcriber.transcribe({ path: '/a' }, OPTIONS, NEVER))).text).toBe(
    'Rødgrød med fløde.',
  )
  expect(left()).toEqual(NOTHING_LEFT)
})

test.each([
  ['is no audio', '/not-audio', twoWindows, 'invalid_audio'],
  ['takes the engine down', '/a', crash, 'engine_crashed'],
])('a recording that %s leaves nothing behind', async (_what, path, run, code) => {
  const { transcriber, left } = road({ run })

  await expect(collect(transcriber.transcribe({ path }, OPTIONS, NEVER))).rejects.toMatchObject({ code })
  expect(left()).toEqual(NOTHING_LEFT)
})

test.each(['decoded', 'segments', 'progress'])(
  'a reader who leaves at `%s` leaves nothing behind',
  async (kind) => {
    const { transcriber, left } = road()

    for await (const event of transcriber.transcribe({ path: '/a' }, OPTIONS, NEVER)) {
      if (event.kind === kind) break
    }

    expect(left()).toEqual(NOTHING_LEFT)
  },
)

test('a client that hangs up while waiting for its turn leaves nothing behind', async () => {
  const { transcriber, transcribing, left } = road()
  const client = new AbortController()
  const other = await transcribing.enter({}, NEVER)
  const answer = collect(transcriber.transcribe({ path: '/a' }, OPTIONS, client.signal))
  await expect.poll(() => transcribing.state().waiting).toBe(1)

  client.abort(new Error('the client hung up'))

  await expect(answer).rejects.toThrow('the client hung up')
  expect(left()).toEqual({ ...NOTHING_LEFT, transcribing: { active: 1, waiting: 0 } })
  other[Symbol.dispose]()
})

test('a client that hangs up while the engine works leaves nothing behind', async () => {
  const { transcriber, left } = road({ run: untilAborted })
  const client = new AbortController()

  const reading = Array.fromAsync(transcriber.transcribe({ path: '/a' }, OPTIONS, client.signal), (event) => {
    if (event.kind === 'progress') client.abort(new Error('the client hung up'))
  })

  await expect(reading).rejects.toThrow('the client hung up')
  expect(left()).toEqual(NOTHING_LEFT)
})

test('a language is detected on the same road', async () => {
  const { transcriber, left } = road()

  expect(await transcriber.detectLanguage({ path: '/a' }, NEVER)).toEqual({ ...DETECTED, durationSeconds: 2 })
  await expect(transcriber.detectLanguage({ path: '/not-audio' }, NEVER)).rejects.toMatchObject({
    code: 'invalid_audio',
  })
  expect(left()).toEqual(NOTHING_LEFT)
})

test('the next recording is decoded while the first one waits for the engine', async () => {
  const { transcriber, transcribing, left } = road()
  const other = await transcribing.enter({}, NEVER)

  const answers = ['/a', '/b'].map((path) => collect(transcriber.transcribe({ path }, OPTIONS, NEVER)))

  await expect.poll(() => left().pcm).toBe(2)
  other[Symbol.dispose]()
  await Promise.all(answers)
  expect(left()).toEqual(NOTHING_LEFT)
})

test('deltas and the wish for them pass through', async () => {
  const asked: EngineRequest[] = []
  const { transcriber } = road({
    run: async function* (request) {
      asked.push(request)
      yield { kind: 'delta', text: ' Rød' }
      yield* twoWindows()
    },
  })

  const wishes = { ...OPTIONS, wantsDeltas: true, wantsGuards: false }
  const events = await Array.fromAsync(transcriber.transcribe({ path: '/a' }, wishes, NEVER))

  expect(events).toContainEqual({ kind: 'delta', text: ' Rød' })
  expect(asked).toMatchObject([{ wantsDeltas: true, wantsGuards: false, pcm: { path: '/a', extent: ALL } }])
})

test('owners take turns at the engine', async () => {
  const { transcriber, transcribing, left } = road()
  const other = await transcribing.enter({}, NEVER)
  const order: string[] = []
  const listen = async (owner: string) => {
    await collect(transcriber.transcribe({ path: `/${owner}`, owner }, OPTIONS, NEVER))
    order.push(owner)
  }

  const answers = [listen('greedy'), listen('greedy'), listen('modest')]
  await expect.poll(() => transcribing.state().waiting).toBe(3)
  other[Symbol.dispose]()
  await Promise.all(answers)

  expect(order).toEqual(['greedy', 'modest', 'greedy'])
  expect(left()).toEqual(NOTHING_LEFT)
})

test('a road that is full refuses before anything is decoded, and has room again when somebody has left', async () => {
  const { transcriber, transcribing, left } = road({ maxWaiting: 1 })
  const other = await transcribing.enter({}, NEVER)
  const ask = (path: string) => collect(transcriber.transcribe({ path }, OPTIONS, NEVER))
  const taken = [ask('/a'), ask('/b')]
  await expect.poll(() => transcribing.state().waiting).toBe(2)

  await expect(ask('/c')).rejects.toMatchObject({ code: 'queue_full' })
  await expect(transcriber.detectLanguage({ path: '/c' }, NEVER)).rejects.toMatchObject({
    code: 'queue_full',
  })
  expect(left().pcm).toBe(2)

  other[Symbol.dispose]()
  await Promise.all(taken)
  expect((await ask('/c')).text).toBe('Rødgrød med fløde.')
  expect(left()).toEqual(NOTHING_LEFT)
})

test.each(['/a', '/not-audio'])('however it ends, no recording stays in the reckoning: %s', async (path) => {
  const { transcriber, workload } = road({ maxWaiting: 0 })

  for (let time = 0; time < 3; time++) {
    await collect(transcriber.transcribe({ path }, OPTIONS, NEVER)).catch(() => {}) // how it ends is told elsewhere
    await transcriber.detectLanguage({ path }, NEVER).catch(() => {})
  }

  expect(() => workload.requireRoom()).not.toThrow()
})

test('the road measures how fast the engine is, and foresees the wait', async () => {
  const clock = { nowMs: 0 }
  const { transcriber, transcribing, workload } = road({
    clock,
    run: async function* () {
      clock.nowMs += 500
      yield* twoWindows()
    },
  })
  await collect(transcriber.transcribe({ path: '/a' }, OPTIONS, NEVER)) // 2 s of audio in half a second

  const other = await transcribing.enter({}, NEVER)
  const answers = ['/b', '/c'].map((path) => collect(transcriber.transcribe({ path }, OPTIONS, NEVER)))
  await expect.poll(() => transcribing.state().waiting).toBe(2)

  expect(workload.waitSeconds()).toBeCloseTo(1)
  other[Symbol.dispose]()
  await Promise.all(answers)
})

test('a recording that was begun elsewhere is told as a whole, and heard from where it was', async () => {
  const { transcriber, workload } = road({
    run: async function* () {
      yield { kind: 'progress', processedSeconds: 2, durationSeconds: 2 }
      yield { kind: 'segments', segments: [segment(1, ' med fløde.')] }
      yield DONE
    },
    observer: {
      waited: () => {},
      decoded: () => {},
      worked: () => {},
      heard: (seconds) => heard.push(seconds),
      done: (_done, _seconds, audioSeconds) => heard.push(audioSeconds),
    },
  })
  const heard: number[] = []
  const none = { dropped: [], warnings: [], engine: 'opaque' }
  const resumeFrom = {
    firstWindow: 0,
    windows: 1,
    endSeconds: 1.5,
    segments: [segment(0, ' Rødgrød')],
    ...none,
  }

  const { text, segments } = await collect(transcriber.transcribe({ path: '/a', resumeFrom }, OPTIONS, NEVER))

  expect(text).toBe('Rødgrød med fløde.')
  expect(segments.map(({ id }) => id)).toEqual([0, 1])
  expect(heard).toEqual([0.5, 0.5])
  expect(workload.size).toBe(0)
})

test('what the engine begins again is not told twice', async () => {
  const { transcriber } = road({
    run: async function* () {
      yield { kind: 'begun_again' }
      yield* twoWindows()
    },
  })
  const none = { dropped: [], warnings: [], engine: 'opaque' }
  const resumeFrom = { firstWindow: 0, windows: 1, endSeconds: 1, segments: [segment(0, ' Andet')], ...none }

  const events = await Array.fromAsync(transcriber.transcribe({ path: '/a', resumeFrom }, OPTIONS, NEVER))

  expect(events.at(-1)).toMatchObject({ transcript: { text: 'Rødgrød med fløde.' } })
  expect(events.map(({ kind }) => kind)).not.toContain('begun_again')
})
