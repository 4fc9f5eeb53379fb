// The real Python child with its fake model, which says " ord<n>" for every half second of sound.
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { workerCommand } from '../../src/engine/command.ts'
import { createEngine, type Engine } from '../../src/engine/engine.ts'
import type { EngineEvent, EngineRequest, PcmExtent, PcmSource } from '../../src/engine/events.ts'
import { all, NEVER, SILENT, whole } from './children.ts'

const PYTHON = resolve('.venv/bin/python')
let spool: string
let engine: Engine

beforeAll(async () => {
  spool = await mkdtemp(join(tmpdir(), 'hviske-engine-'))
  engine = createEngine({ command: workerCommand(PYTHON, ['--fake'], spool), log: SILENT })
  await engine.start()
})

afterAll(async () => {
  await engine.stop()
  await rm(spool, { recursive: true })
})

/** A tone as loud as speech, 16 kHz mono. */
async function recording(name: string, seconds: number): Promise<PcmSource> {
  const samples = Int16Array.from({ length: seconds * 16_000 }, (_, index) => 12_000 * Math.sin(index / 6))
  const path = join(spool, `${name}.pcm`)
  await writeFile(path, new Uint8Array(samples.buffer))
  return whole(path, samples.length)
}

function request(pcm: PcmSource, more: Partial<EngineRequest> = {}): EngineRequest {
  const wanted = { wantsWords: false, wantsLogprobs: false, wantsDeltas: false, wantsGuards: true }
  return { pcm, task: 'transcribe', temperature: 0, ...wanted, ...more }
}

function segments(events: readonly EngineEvent[]) {
  return events.flatMap((event) => (event.kind === 'segments' ? event.segments : []))
}

const text = (events: readonly EngineEvent[]) =>
  segments(events)
    .map((segment) => segment.text)
    .join('')
const spoken = (words: number) => Array.from({ length: words }, (_, index) => ` ord${index}`).join('')

test('it is ready and says what it is', () => {
  expect(engine.state()).toMatchObject({
    phase: 'ready',
    facts: { modelId: 'fake', device: 'cpu', vad: 'energy' },
  })
})

test('a recording becomes segments and figures', async () => {
  const events = await all(engine.run(request(await recording('two', 2)), NEVER))

  expect(text(events)).toBe(spoken(4))
  expect(events.at(-1)).toMatchObject({ kind: 'done', language: 'da', durationSeconds: 2, dropped: [] })
})

test('words come when they are asked for, and joined they are the segment', async () => {
  const events = await all(engine.run(request(await recording('words', 2), { wantsWords: true }), NEVER))

  for (const segment of segments(events)) {
    expect(segment.words?.map(({ word }) => word).join('')).toBe(segment.text)
  }
})

test('the probability of each token comes when it is asked for, and their bytes are the text', async () => {
  const pcm = await recording('logprobs', 2)

  const asked = segments(await all(engine.run(request(pcm, { wantsLogprobs: true }), NEVER)))
  const notAsked = segments(await all(engine.run(request(pcm), NEVER)))

  for (const { logprobs = [], text, tokens } of asked) {
    expect(logprobs).toHaveLength(tokens.length)
    expect(Buffer.from(logprobs.flatMap(({ bytes }) => bytes)).toString()).toBe(text)
    expect(logprobs[0]).toEqual({ token: ' ord0', logprob: -0.1, bytes: [...Buffer.from(' ord0')] })
  }
  expect(asked).not.toEqual([])
  expect(notAsked.every((segment) => !('logprobs' in segment))).toBe(true)
})

test('what the model is told beside the recording is counted', async () => {
  const pcm = await recording('told', 2)
  const promptTokens = async (more: Partial<EngineRequest>) => {
    const done = (await all(engine.run(request(pcm, more), NEVER))).at(-1)
    return done?.kind === 'done' && done.promptTokens
  }

  // The fake model counts characters.
  expect(await promptTokens({})).toBe(0)
  expect(await promptTokens({ prompt: 'Hej.' })).toBe(' Hej.'.length)
  expect(await promptTokens({ prompt: 'Hej.', keywords: ['Åse', 'Søren'] })).toBe(' Åse, Søren. Hej.'.length)
})

test('the language is one of the candidates, as probable as it is among all', async () => {
  const asked = request(await recording('candidates', 2), { candidateLanguages: ['de', 'en'] })

  const done = (await all(engine.run(asked, NEVER))).at(-1)

  expect(done).toMatchObject({ language: 'en', languageProbability: 0.06 })
})

test('a candidate that the model does not know is refused', async () => {
  const asked = request(await recording('unknown', 2), { candidateLanguages: ['da', 'xx'] })

  await expect(all(engine.run(asked, NEVER))).rejects.toMatchObject({
    code: 'invalid_language',
    param: 'languages',
    message: expect.stringContaining("'xx'"),
  })
})

test('a request divides its recording as it likes', async () => {
  const pcm = await recording('divided', 60)

  const divided = await all(engine.run(request(pcm, { speechDetection: { maxSpeechSeconds: 10 } }), NEVER))
  const usual = await all(engine.run(request(pcm), NEVER))

  expect(segments(usual)).toHaveLength(3)
  expect(segments(divided).length).toBeGreaterThanOrEqual(6)
  expect(text(divided)).toBe(text(usual))
})

test('ids run through all windows of a long recording', async () => {
  const events = await all(engine.run(request(await recording('long', 95)), NEVER))

  const ids = segments(events).map((segment) => segment.id)
  expect(ids.length).toBeGreaterThan(3)
  expect(ids).toEqual(ids.map((_, index) => index))
})

test('a recording that grows is begun before it is all there, and says the same as when it is', async () => {
  const whole160 = await recording('whole', 160)
  const bytes = await readFile(whole160.path)
  const path = join(spool, 'growing.pcm')
  await writeFile(path, bytes.subarray(0, 100 * 32_000))
  const heard = Promise.withResolvers<void>()
  const growing = {
    path,
    // A tone has no pause to end a window at: its first window is certain when the third has been heard.
    extent: { samples: 100 * 16_000, isComplete: false },
    // Nothing more comes until something has been said of what is there.
    async grownBeyond({ samples }: PcmExtent) {
      await heard.promise
      const more = bytes.subarray(samples * 2, samples * 2 + 20 * 32_000)
      await appendFile(path, more)
      const grown = samples + more.length / 2
      return { samples: grown, isComplete: grown === whole160.extent.samples }
    },
  }

  const events = await Array.fromAsync(engine.run(request(growing), NEVER), (event) => {
    if (event.kind === 'segments') heard.resolve()
    return event
  })

  expect(text(events)).toBe(text(await all(engine.run(request(whole160), NEVER))))
  expect(events.at(-1)).toMatchObject({ kind: 'done', durationSeconds: 160 })
})

test('deltas come before the segments that they become, and joined they are their text', async () => {
  const pcm = await recording('deltas', 95)

  const events = await all(engine.run(request(pcm, { wantsDeltas: true }), NEVER))

  const said = { deltas: '', segments: '' }
  for (const event of events) {
    if (event.kind === 'delta') said.deltas += event.text
    if (event.kind !== 'segments') continue
    said.segments += event.segments.map((segment) => segment.text).join('')
    expect(said.deltas.startsWith(said.segments)).toBe(true)
  }
  expect(said.deltas).toBe(said.segments)
  expect(said.segments).toBe(text(await all(engine.run(request(pcm), NEVER))))
})

test('ten recordings at once are each answered with their own', async () => {
  const lengths = Array.from({ length: 10 }, (_, index) => index + 1)
  const recordings = await Promise.all(lengths.map((seconds) => recording(`of-${seconds}`, seconds)))

  const answers = await Promise.all(recordings.map((pcm) => all(engine.run(request(pcm), NEVER))))

  expect(answers.map(text)).toEqual(lengths.map((seconds) => spoken(2 * seconds)))
})

test('a named language is not measured', async () => {
  const events = await all(engine.run(request(await recording('named', 1), { language: 'en' }), NEVER))

  expect(events.at(-1)).toMatchObject({ language: 'en' })
  expect(events.at(-1)).not.toHaveProperty('languageProbability')
})

test('a language is detected', async () => {
  expect(await engine.detectLanguage(await recording('detect', 1), NEVER)).toMatchObject({
    language: 'da',
    probability: 0.9,
  })
})

test.each([
  ['an unknown language', { language: 'xx' }, 'invalid_language'],
  ['a model that fails', { prompt: '[[fail]]' }, 'engine_failed'],
])('%s fails that request only', async (_what, more, code) => {
  const pcm = await recording(`fails-${code}`, 1)

  await expect(all(engine.run(request(pcm, more), NEVER))).rejects.toMatchObject({ code })
  expect(text(await all(engine.run(request(pcm), NEVER)))).toBe(spoken(2))
})

test('who gives up a long recording is let go at once, and the next one is answered', async () => {
  const client = new AbortController()
  const slow = request(await recording('slow', 300), { prompt: '[[sleep 0.1]]' })

  const reading = Array.fromAsync(engine.run(slow, client.signal), () => client.abort(new Error('hung up')))

  await expect(reading).rejects.toThrow('hung up')
  expect(text(await all(engine.run(request(await recording('next', 1)), NEVER)))).toBe(spoken(2))
})

test('a recording that the child dies of fails, and a new child answers the next one', async () => {
  const pcm = await recording('crash', 1)

  await expect(all(engine.run(request(pcm, { prompt: '[[crash]]' }), NEVER))).rejects.toMatchObject({
    code: 'engine_crashed',
    cause: { message: expect.stringContaining('code 9') },
  })
  expect(text(await all(engine.run(request(pcm), NEVER)))).toBe(spoken(2))
})
