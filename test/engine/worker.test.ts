import { expect, test } from 'vitest'
import type { Answer, LoadingMessage, Question } from '../../src/engine/protocol.ts'
import { type StopDeadlines, Worker, type WorkerParts } from '../../src/engine/worker.ts'
import { all, child, GrowingSource, NEVER, recordingLog, SILENT, whole } from './children.ts'

const PATIENT: StopDeadlines = { shutdownMs: 10_000, terminateMs: 10_000 }

function start(
  name: string,
  { log = SILENT, onLoading = () => {}, helloDeadlineMs = 30_000 }: Partial<WorkerParts> = {},
) {
  const worker = new Worker({ command: child(name), log, onLoading, helloDeadlineMs })
  return Object.assign(worker, {
    [Symbol.asyncDispose]: () => worker.stop({ shutdownMs: 100, terminateMs: 100 }),
  })
}

function question(path: string): Question {
  return {
    kind: 'transcribe',
    pcm_path: path,
    pcm_samples: 32_000,
    pcm_is_complete: true,
    language: null,
    languages: null,
    task: 'transcribe',
    prompt: null,
    keywords: [],
    temperature: 0,
    word_timestamps: false,
    logprobs: false,
    deltas: false,
    guards: true,
    vad: null,
    resume: null,
  }
}

const WHOLE = whole('/a')

test('a child that dies fails every request it was holding, and says how it left', async () => {
  await using worker = start('dies-when-told')
  await worker.ready

  await expect(all(worker.ask(question('/die'), WHOLE, NEVER))).rejects.toMatchObject({
    code: 'engine_crashed',
    cause: { message: "the speech engine's process exited with code 9" },
  })
  expect((await worker.exited).facts.lastLines).toEqual(['Segmentation fault (core dumped)'])
})

test('who asks a child that is gone hears the same', async () => {
  await using worker = start('crashes-while-loading')
  await worker.exited

  await expect(all(worker.ask(question('/a'), WHOLE, NEVER))).rejects.toMatchObject({
    code: 'engine_crashed',
  })
})

test('ten requests at once are each answered with their own', async () => {
  await using worker = start('answers-in-reverse')
  await worker.ready
  const paths = Array.from({ length: 10 }, (_, index) => `/recording-${index}`)

  const answers = await Promise.all(paths.map((path) => all(worker.ask(question(path), WHOLE, NEVER))))

  expect(answers.map(texts)).toEqual(paths.map((path) => [` ${path}`, ' end.']))
})

test.each([
  ['a print of a library', '/not-json'],
  ['an unknown message', '/unknown-kind'],
  ['an unknown field', '/unknown-field'],
  ['an answer to nobody', '/unknown-request'],
  ['an answer to another question', '/another-answer'],
  ['a second hello', '/hello-again'],
])('%s on the wire ends the child', async (_what, path) => {
  await using worker = start('prints-garbage')
  await worker.ready

  await expect(all(worker.ask(question(path), WHOLE, NEVER))).rejects.toMatchObject({
    code: 'engine_crashed',
  })
  const exit = await worker.exited
  expect(exit).toMatchObject({ facts: { signal: 'SIGKILL' }, cause: expect.any(Error) })
})

test('who gives up hears the reason at once, though the child hangs; the late answer disturbs nobody', async () => {
  await using worker = start('hangs-after-cancel')
  await worker.ready
  const client = new AbortController()
  const answers = worker.ask(question('/a'), WHOLE, client.signal)
  await answers.next()

  client.abort(new Error('the client hung up'))

  await expect(answers.next()).rejects.toThrow('the client hung up')
  const later = await all(worker.ask(question('/b'), WHOLE, NEVER))
  expect(JSON.stringify(later)).toContain('after a cancel')
  expect(JSON.stringify(later)).not.toContain('too late')
})

test('who stops reading has given up too', async () => {
  await using worker = start('hangs-after-cancel')
  await worker.ready

  for await (const _answer of worker.ask(question('/a'), WHOLE, NEVER)) break

  expect(JSON.stringify(await all(worker.ask(question('/b'), WHOLE, NEVER)))).toContain('after a cancel')
})

/** A question about a recording of which the first 35 s are there. */
const growingQuestion = { ...question('/growing'), pcm_samples: 560_000, pcm_is_complete: false } as Question

const texts = (answers: readonly Answer[]) =>
  answers.flatMap((answer) => (answer.kind === 'window' ? answer.segments.map(({ text }) => text) : []))

test('a recording that grows is told as it grows, to its end', async () => {
  await using worker = start('repeats-growth')
  await worker.ready
  const pcm = new GrowingSource()
  const answers: Answer[] = []

  // Each answer lets it grow by a step, the third one to its end.
  for await (const answer of worker.ask(growingQuestion, pcm, NEVER)) {
    answers.push(answer)
    if (answers.length < 4) pcm.grow(560_000 + answers.length * 160_000, answers.length === 3)
  }

  expect(texts(answers)).toEqual([' 560000', ' 720000', ' 880000', ' 1040000'])
  expect(answers.at(-1)?.kind).toBe('done')
  expect(pcm.waiting).toBe(0)
})

test('what has grown while nobody looked is told once', async () => {
  await using worker = start('repeats-growth')
  await worker.ready
  const pcm = new GrowingSource()
  for (const samples of [720_000, 880_000, 1_040_000]) pcm.grow(samples, samples === 1_040_000)

  expect(texts(await all(worker.ask(growingQuestion, pcm, NEVER)))).toEqual([' 560000', ' 1040000'])
})

test('a recording that cannot grow any more is given up, and its reader hears why', async () => {
  const { log, entries } = recordingLog()
  await using worker = start('repeats-growth', { log })
  await worker.ready
  const grownBeyond = async () => Promise.reject(new Error('the disk is on fire'))

  await expect(all(worker.ask(growingQuestion, { grownBeyond }, NEVER))).rejects.toThrow(
    'the disk is on fire',
  )

  await expect.poll(() => entries.map(({ line }) => line)).toContain('cancel 1')
})

test('who gives up a growing recording leaves nobody waiting for it to grow, and cancels it once', async () => {
  const { log, entries } = recordingLog()
  await using worker = start('repeats-growth', { log })
  await worker.ready
  const client = new AbortController()
  const pcm = new GrowingSource()
  const answers = worker.ask(growingQuestion, pcm, client.signal)
  await answers.next()

  client.abort(new Error('the client hung up'))

  await expect(answers.next()).rejects.toThrow('the client hung up')
  expect(pcm.waiting).toBe(0)
  await all(worker.ask(question('/b'), WHOLE, NEVER))
  await worker.stop(PATIENT)
  expect(entries.map(({ line }) => line).filter(Boolean)).toEqual(['cancel 1'])
})

test('a child that says nothing is taken for dead', async () => {
  await using worker = start('never-says-hello', { helloDeadlineMs: 50 })

  await expect(worker.ready).rejects.toMatchObject({ cause: new Error('it did not say hello in time') })
})

test('a child of another version is refused, in words that say what to do', async () => {
  await using worker = start('speaks-another-protocol')

  await expect(worker.ready).rejects.toMatchObject({ hopeless: expect.stringContaining('speaks protocol 1') })
})

test('a program that does not exist is named', async () => {
  const command = { file: '/nowhere/python', args: [], cwd: '/', environment: {} }
  const worker = new Worker({ command, log: SILENT, onLoading: () => {}, helloDeadlineMs: 1000 })

  const exit = await worker.exited
  expect(exit.hopeless).toContain('could not be started')
  expect(exit.hopeless).toContain('/nowhere/python')
})

test('loading is told while it happens', async () => {
  const heard = Promise.withResolvers<LoadingMessage>()
  await using _worker = start('never-gets-ready', { onLoading: heard.resolve })

  expect(await heard.promise).toMatchObject({ stage: 'downloading', fraction: 0.42 })
})

test('its stderr goes to the log', async () => {
  const { log, entries } = recordingLog()
  await using worker = start('crashes-while-loading', { log })
  await worker.exited

  expect(entries).toContainEqual(
    expect.objectContaining({ level: 'debug', line: 'RuntimeError: the disk is on fire' }),
  )
})

test('a process that it leaves behind does not hide its death', async () => {
  await using worker = start('leaves-a-grandchild')
  const startedMs = performance.now()

  const { facts } = await worker.exited

  expect(facts.exitCode).toBe(9)
  expect(performance.now() - startedMs).toBeLessThan(25_000)
  process.kill(Number(facts.lastLines[0]))
})

test.each([
  ['leaves when it is asked to', 'never-gets-ready', PATIENT, { exitCode: 0 }],
  [
    'is sent SIGTERM when it does not listen',
    'heeds-only-sigterm',
    { ...PATIENT, shutdownMs: 50 },
    { signal: 'SIGTERM' },
  ],
  [
    'is sent SIGKILL when nothing else helps',
    'ignores-sigterm',
    { shutdownMs: 50, terminateMs: 50 },
    { signal: 'SIGKILL' },
  ],
])('a child %s', async (_what, name, deadlines, expected) => {
  const loading = Promise.withResolvers<void>()
  const worker = start(name, { onLoading: () => loading.resolve() })
  await Promise.race([worker.ready, loading.promise])

  await worker.stop(deadlines)

  expect((await worker.exited).facts).toMatchObject(expected)
})

test('what runs while the child is stopped hears of the shutdown, not of a crash', async () => {
  await using worker = start('ignores-sigterm')
  await worker.ready
  const answer = worker.ask(question('/a'), WHOLE, NEVER).next()

  await Promise.all([
    expect(answer).rejects.toMatchObject({ code: 'shutting_down' }),
    worker.stop({ shutdownMs: 50, terminateMs: 50 }),
  ])
})

test('a question to a child that does not read waits, and can be given up', async () => {
  await using worker = start('ignores-sigterm')
  await worker.ready
  const client = new AbortController()
  const long = all(worker.ask({ ...question('/a'), prompt: 'x'.repeat(1_000_000) } as Question, WHOLE, NEVER))
  const waiting = all(worker.ask(question('/b'), WHOLE, client.signal))

  client.abort(new Error('the client hung up'))

  await expect(waiting).rejects.toThrow('the client hung up')
  await Promise.all([
    expect(long).rejects.toMatchObject({ code: 'shutting_down' }),
    worker.stop({ shutdownMs: 50, terminateMs: 50 }),
  ])
})
