import { expect, test } from 'vitest'
import type { PcmFile } from '../src/audio/decode.ts'
import type { EngineDone, EngineEvent, EngineRequest } from '../src/engine/events.ts'
import { Failure } from '../src/failure.ts'
import { Admission } from '../src/queue/admission.ts'
import { createTranscriber, type TranscribeOptions } from '../src/transcriber.ts'
import { collect, type DetectedLanguage, type Segment } from '../src/transcript.ts'

const NEVER = new AbortController().signal
const OPTIONS: TranscribeOptions = { task: 'transcribe', temperature: 0, wantsWords: false }
const DETECTED: DetectedLanguage = { language: 'da', probability: 1, languages: [], durationSeconds: 2 }
const DONE: EngineDone = {
  kind: 'done',
  language: 'da',
  languageProbability: 0.9,
  durationSeconds: 2,
  speechSeconds: 2,
  windows: 2,
  dropped: [{ reason: 'no_speech', startSeconds: 1, endSeconds: 2, text: ' Tak.' }],
  timings: { waitedSeconds: 0, vadSeconds: 0, encodeSeconds: 0, decodeSeconds: 0 },
}

function segment(id: number, text: string): Segment {
  const figures = { temperature: 0, avgLogprob: 0, compressionRatio: 1, noSpeechProb: 0 }
  return { id, seek: 0, startSeconds: id, endSeconds: id + 1, text, tokens: [], ...figures }
}

async function* twoWindows(): AsyncGenerator<EngineEvent> {
  yield { kind: 'segments', segments: [segment(0, ' Rødgrød')] }
  yield { kind: 'progress', processedSeconds: 1, durationSeconds: 2 }
  yield { kind: 'segments', segments: [segment(1, ' med fløde.')] }
  yield DONE
}

async function* crash(): AsyncGenerator<EngineEvent> {
  yield { kind: 'segments', segments: [segment(0, ' Rød')] }
  throw new Failure('engine_crashed', 'gone')
}

/** An engine that speaks once and then waits for the signal, as a busy one does. */
async function* untilAborted(_request: EngineRequest, signal: AbortSignal): AsyncGenerator<EngineEvent> {
  yield { kind: 'progress', processedSeconds: 1, durationSeconds: 2 }
  signal.throwIfAborted()
  await new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
  })
}

/** A road with one place at each stage, and what is left on it. */
function road({
  run = twoWindows as (request: EngineRequest, signal: AbortSignal) => AsyncIterable<EngineEvent>,
} = {}) {
  const open = new Set<string>()
  const decoding = new Admission({ places: 1 })
  const transcribing = new Admission({ places: 1 })
  const decode = async (path: string): Promise<PcmFile> => {
    if (path === '/not-audio') throw new Failure('invalid_audio', 'not audio')
    open.add(path)
    return { path, durationSeconds: 2, [Symbol.asyncDispose]: async () => void open.delete(path) }
  }
  const engine = { run, detectLanguage: async () => DETECTED }
  const left = () => ({ pcm: open.size, decoding: decoding.state(), transcribing: transcribing.state() })
  return { left, transcribing, transcriber: createTranscriber({ decode, decoding, transcribing, engine }) }
}

const NOTHING_LEFT = {
  pcm: 0,
  decoding: { active: 0, waiting: 0 },
  transcribing: { active: 0, waiting: 0 },
}

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
      segments: [segment(0, ' Rødgrød'), segment(1, ' med fløde.')],
      dropped: DONE.dropped,
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

  expect(await transcriber.detectLanguage({ path: '/a' }, NEVER)).toEqual(DETECTED)
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
