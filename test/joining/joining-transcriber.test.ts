/** Who shares work with whom, and whose the file is meanwhile. */
import { beforeEach, expect, test } from 'vitest'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createJoiningTranscriber } from '../../src/joining/joining-transcriber.ts'
import { createLog } from '../../src/log.ts'
import type { AudioSource, TranscribeOptions, Transcriber } from '../../src/transcriber.ts'
import { OPTIONS } from '../road.ts'
import { DONE, type StartedParts, startParts } from './parts.ts'

let parts: StartedParts
beforeEach(async () => {
  parts = await startParts()
})

test('the same recording with the same options is worked on once, and everybody gets all of it', async () => {
  const { ask, road } = parts
  const first = ask()
  const work = await road.work(1)
  work.say({ kind: 'decoded', durationSeconds: 9 })
  const retry = ask()
  await retry.hasJoined

  work.finish()

  expect(await first.answer).toEqual([{ kind: 'decoded', durationSeconds: 9 }, DONE])
  expect(await retry.answer).toEqual(await first.answer)
  expect(road.begun).toHaveLength(1)
  expect([first.joined(), retry.joined()]).toEqual([undefined, 'running'])
  expect(await parts.leftovers()).toEqual([])
})

test('ten at the same moment share one work', async () => {
  const { ask, road } = parts
  const clients = Array.from({ length: 10 }, () => ask())

  const work = await road.work(1)
  work.finish()

  const answers = await Promise.all(clients.map(({ answer }) => answer))
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
  expect(road.begun).toHaveLength(1)
  expect(await parts.leftovers()).toEqual([])
})

test.each<[string, object, Partial<TranscribeOptions>]>([
  ['another identity', { identity: 'b' }, {}],
  ['no identity', {}, {}],
  ['another language', { identity: 'a' }, { language: 'en' }],
  ['deltas', { identity: 'a' }, { wantsDeltas: true }],
  ['other keywords', { identity: 'a' }, { keywords: ['Ærø'] }],
  ['another division', { identity: 'a' }, { speechDetection: { threshold: 0.4 } }],
])('%s is other work', async (_what, source, options) => {
  const { ask, road } = parts
  const clients = [ask({ identity: 'a' }), ask(source, options)]

  const works = [await road.work(1), await road.work(2)]
  for (const work of works) work.finish()

  await Promise.all(clients.map(({ answer }) => answer))
  expect(clients.map(({ joined }) => joined())).toEqual([undefined, undefined])
  expect(await parts.leftovers()).toEqual([])
})

test('the order in which options are written makes no difference', async () => {
  const { ask, road } = parts
  const written = Object.entries({ ...OPTIONS, speechDetection: { threshold: 0.4, silenceMs: 200 } })
  const backwards = Object.fromEntries([
    ...written.toReversed(),
    ['speechDetection', { silenceMs: 200, threshold: 0.4 }],
  ]) as Partial<TranscribeOptions>
  const first = ask({ identity: 'a' }, Object.fromEntries(written) as Partial<TranscribeOptions>)
  const work = await road.work(1)

  const retry = ask({ identity: 'a' }, backwards)
  await retry.hasJoined
  work.finish()

  await Promise.all([first.answer, retry.answer])
  expect(road.begun).toHaveLength(1)
})

test('without an identity a recording passes by: its own file, its own signal', async () => {
  const { ask, road } = parts
  const client = ask({})
  const work = await road.work(1)

  expect(work.source.path).toMatch(/upload$/)
  client.leave()

  await expect(client.answer).rejects.toThrow('hung up')
  expect(work.signal.aborted).toBe(true)
})

test('languages are detected for each who asks', async () => {
  const source = { path: '/a', identity: 'a' }

  expect(await parts.transcriber.detectLanguage(source, AbortSignal.timeout(1000))).toMatchObject({
    language: 'da',
  })
})

test('whoever leaves only leaves: the work goes on for the others, with the file', async () => {
  const { ask, road } = parts
  const first = ask()
  const work = await road.work(1)
  const retry = ask()
  await retry.hasJoined

  first.leave()
  await expect(first.answer).rejects.toThrow('hung up')

  expect(work.signal.aborted).toBe(false)
  expect(await parts.soundOf(work)).toBe('sound') // whoever decodes late still finds it
  work.finish()
  expect(await retry.answer).toEqual([DONE])
  expect(await parts.leftovers()).toEqual([])
})

test('the client’s own upload may go at once', async () => {
  const { transcriber, road } = parts
  const directory = join(parts.directory, 'mine')
  await mkdir(directory)
  const path = join(directory, 'upload')
  await writeFile(path, 'sound')
  const answer = Array.fromAsync(
    transcriber.transcribe({ path, identity: 'a' }, OPTIONS, AbortSignal.timeout(5000)),
  )
  const work = await road.work(1)

  await rm(directory, { recursive: true })

  expect(await parts.soundOf(work)).toBe('sound')
  work.finish()
  await answer
})

test('where a file cannot have two names, nothing is shared and everything works', async () => {
  const alone = await startParts({ directory: join(parts.directory, 'missing') })
  const clients = [alone.ask(), alone.ask()]

  for (const n of [1, 2]) (await alone.road.work(n)).finish()

  for (const client of clients) expect(await client.answer).toEqual([DONE])
  expect(clients.map(({ joined }) => joined())).toEqual([undefined, undefined])
  expect(alone.logged).toMatchObject([{ level: 'warn' }]) // once
  expect(await alone.leftovers()).toEqual([])
})

test('a client that was gone before it was asked for begins nothing', async () => {
  const { ask, road } = parts
  const client = ask()
  client.leave()

  await expect(client.answer).rejects.toThrow('hung up')
  expect(road.begun).toEqual([])
  expect(await parts.leftovers()).toEqual([])
})

test('the end of the server ends what runs and what lingers, and leaves nothing behind', async () => {
  const { ask, road, timers, transcriber } = parts
  const left = ask({ identity: 'a' })
  const lingering = await road.work(1)
  timers.pass(100_000)
  left.leave()
  await expect(left.answer).rejects.toThrow('hung up')
  const finished = ask({ identity: 'b' })
  ;(await road.work(2)).finish()
  await finished.answer
  const waiting = ask({ identity: 'c' })
  await road.work(3)

  const ended = transcriber[Symbol.asyncDispose]()

  await expect(waiting.answer).rejects.toMatchObject({ code: 'shutting_down' })
  await ended
  expect(lingering.signal.reason).toMatchObject({ code: 'shutting_down' })
  expect(await parts.leftovers()).toEqual([])
  expect(timers.set).toBe(0)
})

test.each([
  ['stores checkpoints', { wantsCheckpoints: true }],
  [
    'goes on with its own',
    {
      resumeFrom: {
        firstWindow: 0,
        windows: 1,
        endSeconds: 1,
        segments: [],
        dropped: [],
        warnings: [],
        engine: 0,
      },
    },
  ],
])('whoever %s has work of its own', async (_what, more: Partial<AudioSource>) => {
  const begun: AudioSource[] = []
  const inner: Transcriber = {
    async *transcribe(source) {
      begun.push(source)
      yield DONE
    },
    detectLanguage: () => Promise.reject(new Error('nobody asks')),
  }
  await using joining = createJoiningTranscriber({
    transcriber: inner,
    directory: '/nowhere',
    log: createLog('silent'),
  })
  const source = { path: '/a', identity: 'the same', ...more }

  await Promise.all(
    [1, 2].map(() => Array.fromAsync(joining.transcribe(source, OPTIONS, new AbortController().signal))),
  )

  expect(begun).toEqual([source, source])
})
