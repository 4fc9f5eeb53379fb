import { expect, test } from 'vitest'
import type { EngineEvent } from '../../src/engine/events.ts'
import { all, GrowingSource, NEVER, recordingLog } from './children.ts'
import { engineOf, numberedText as text, quickClock, request } from './engines.ts'

test('a recording is answered with segments numbered through its windows, then with the figures', async () => {
  const engine = engineOf('dies-when-told')
  await engine.start()

  const events = await all(engine.run(request('/a'), NEVER))

  expect(text(events)).toBe('0 /a|1 end.')
  expect(events.at(-1)).toMatchObject({
    kind: 'done',
    language: 'da',
    languageProbability: 0.9,
    durationSeconds: 2,
    promptTokens: 0,
  })
})

test('a recording that still grows is answered from what is there, and to its end', async () => {
  const engine = engineOf('repeats-growth')
  await engine.start()
  const pcm = new GrowingSource()
  const events: EngineEvent[] = []

  for await (const event of engine.run(request(pcm), NEVER)) {
    events.push(event)
    if (event.kind === 'segments') pcm.grow(pcm.extent.samples + 160_000, events.length === 2)
  }

  expect(text(events)).toBe('0 560000|1 720000|2 880000')
})

test('a language may be heard before the recording is all there', async () => {
  const engine = engineOf('repeats-growth')
  await engine.start()
  const pcm = new GrowingSource()

  const detected = await engine.detectLanguage(pcm, NEVER)

  // How long the recording is nobody knows yet.
  expect(detected).toEqual({
    language: 'da',
    probability: 0.9,
    languages: [{ language: 'da', probability: 0.9 }],
  })
  expect(pcm.waiting).toBe(0)
})

test('deltas come when they are asked for, and joined they are the segments', async () => {
  const engine = engineOf('speaks-in-deltas')
  await engine.start()

  const asked = await all(engine.run({ ...request('/a'), wantsDeltas: true }, NEVER))
  const notAsked = await all(engine.run(request('/a'), NEVER))

  expect(asked.map((event) => (event.kind === 'delta' ? event.text : event.kind))).toEqual([
    ' Rød',
    'grød',
    'segments',
    'done',
  ])
  expect(text(asked)).toBe('0 Rødgrød')
  expect(notAsked.map(({ kind }) => kind)).toEqual(['segments', 'done'])
})

test('what the guards did is told, and a language that nobody spoke is none', async () => {
  const engine = engineOf('speaks-in-deltas')
  await engine.start()
  const judged = { startSeconds: 0, endSeconds: 1, text: ' Rødgrød' }

  const done = (await all(engine.run(request('/a'), NEVER))).at(-1)
  const unguarded = (await all(engine.run({ ...request('/a'), wantsGuards: false }, NEVER))).at(-1)

  expect(done).toMatchObject({
    dropped: [{ ...judged, reason: 'repetition' }],
    warnings: [{ ...judged, reason: 'unsure' }],
  })
  expect(done).not.toHaveProperty('language')
  expect(unguarded).toMatchObject({ dropped: [], warnings: [] })
})

test('a recording that comes while the engine loads waits for it', async () => {
  const engine = engineOf('dies-when-told')
  const early = all(engine.run(request('/early'), NEVER))
  expect(engine.state()).toMatchObject({ phase: 'loading' })

  await engine.start()

  expect(text(await early)).toBe('0 /early|1 end.')
})

test('who waits for a loading engine can give up', async () => {
  const engine = engineOf('never-gets-ready')
  const started = engine.start()
  const client = new AbortController()
  const answer = all(engine.run(request('/a'), client.signal))

  client.abort(new Error('the client hung up'))

  await expect(answer).rejects.toThrow('the client hung up')
  await Promise.all([engine.stop(), expect(started).rejects.toMatchObject({ code: 'shutting_down' })])
})

test('a signal that has aborted before asks nothing', async () => {
  const engine = engineOf('dies-when-told')
  await engine.start()

  await expect(all(engine.run(request('/die'), AbortSignal.abort(new Error('gone'))))).rejects.toThrow('gone')
  expect(text(await all(engine.run(request('/b'), NEVER)))).toBe('0 /b|1 end.')
})

test.each([
  ['fatal-at-start', 'nowhere/nothing does not exist.'],
  ['speaks-another-protocol', 'speaks protocol 1'],
  ['crashes-while-loading', 'exited with code 1, 5 times in a row'],
])('an engine that cannot start (%s) says why, to the operator and not to clients', async (name, reason) => {
  const engine = engineOf(name)

  await expect(engine.start()).rejects.toThrow(reason)

  expect(engine.state()).toMatchObject({ phase: 'failed', message: expect.stringContaining(reason) })
  await expect(all(engine.run(request('/a'), NEVER))).rejects.toMatchObject({
    code: 'engine_failed',
    message: 'The speech engine could not be started.',
  })
})

test.each([
  ['/invalid_audio/It is shorter than 0.1 s.', 'audio_too_short', 'It is shorter than 0.1 s.', 'file'],
  ['/invalid_audio/Not samples.', 'invalid_audio', 'Not samples.', 'file'],
  ['/invalid_language/No xx.', 'invalid_language', 'No xx.', 'language'],
  ['/out_of_memory/CUDA 0x7f', 'engine_failed', expect.stringContaining('ran out of memory'), null],
  ['/internal/KeyError', 'engine_failed', 'The speech engine could not process this recording.', null],
  ['/cancelled', 'shutting_down', 'The server is shutting down.', null],
])('the refusal %s reaches the client as %s', async (path, code, message, param) => {
  const engine = engineOf('refuses')
  await engine.start()

  await expect(all(engine.run(request(path), NEVER))).rejects.toMatchObject({ code, message, param })
})

test('an unknown candidate is the fault of the list of candidates', async () => {
  const engine = engineOf('refuses')
  await engine.start()
  const asked = { ...request('/invalid_language/No xx.'), candidateLanguages: ['da', 'xx'] }

  await expect(all(engine.run(asked, NEVER))).rejects.toMatchObject({ param: 'languages' })
})

test('a stopped engine has no child, says so, and refuses', async () => {
  const engine = engineOf('dies-when-told')
  await engine.start()

  await engine.stop()

  expect(engine.state()).toEqual({ phase: 'stopped' })
  await expect(all(engine.run(request('/a'), NEVER))).rejects.toMatchObject({ code: 'shutting_down' })
})

test('an engine that was never started can be stopped', async () => {
  const engine = engineOf('dies-when-told')

  await engine.stop()

  expect(engine.state()).toEqual({ phase: 'stopped' })
})

test('loading is told to the state and to the log', async () => {
  const { log, entries } = recordingLog()
  const engine = engineOf('fatal-at-start', quickClock(), log)

  await expect(engine.start()).rejects.toThrow('nowhere/nothing')

  expect(entries).toContainEqual(
    expect.objectContaining({ level: 'info', message: 'loading: nowhere/nothing' }),
  )
})
