/** Clients that mean well: they ask what can be answered, in all the ways that people send it, and try again as SDKs do. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { FailureCode } from '../../src/failure.ts'
import type { Chance } from './chance.ts'
import { converse, type Manner } from './connection.ts'
import type { Question } from './questions.ts'
import { readText, ToldFailure } from './questions.ts'
import { type Body, chunked, headOf, json, multipart, pieces } from './request-bytes.ts'
import { errorIn, type Expectation, judge, type Outcome, requireAllowed } from './verdicts.ts'
import type { World } from './world.ts'

/** As the SDKs do, and once more: a restart takes longer than their two. */
const MOST_TRIES = 8
const SHORTEST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 4000
const AGAIN: ReadonlySet<string> = new Set([
  'queue_full',
  'engine_loading',
  'engine_resting',
  'shutting_down',
  'insufficient_storage',
  'engine_failed',
  'cut off',
  'refused',
])
/** A path as a name, and no name at all, are names. */
const NAMES = ['a.wav', '../../../etc/passwd', '..\\..\\x.wav', 'æ ø å.m4a', '$(reboot).wav', 'a/b/../c.mp3']

export interface Ask {
  readonly question: Question
  readonly act: string
  readonly headers?: Readonly<Record<string, string>>
  readonly manner?: Partial<Manner>
  readonly body: Body
  /** Without a Content-Length. */
  readonly isChunked?: boolean
}

/** However the client chooses to send it. */
export function bodyOf(world: World, question: Question, chance: Chance): Body {
  const recording = world.recordings.get(question.recording)
  if (recording === undefined) throw new Error(`no recording ${question.recording}`)
  const isJson = chance.is(0.2) && !Object.keys(question.fields).some((name) => name.endsWith('[]'))
  if (isJson) return json(question.fields, recording)
  const boundary = `----chaos${chance.between(0, 1e9)}`
  return multipart({
    boundary,
    fields: question.fields,
    file: { name: chance.pick(NAMES), content: recording },
  })
}

export function bytesOf(
  world: World,
  { question, body, headers, isChunked }: Ask,
): { head: Buffer; content: Buffer } {
  const length = isChunked
    ? { 'transfer-encoding': 'chunked' }
    : { 'content-length': String(body.content.length) }
  const head = headOf({
    path: question.path,
    headers: {
      authorization: `Bearer ${world.key}`,
      'content-type': body.contentType,
      ...length,
      ...headers,
    },
  })
  return { head, content: isChunked ? chunked(body.content, 30_000) : body.content }
}

/** One request, judged, its text included. */
export async function askOnce(world: World, ask: Ask): Promise<Outcome> {
  const { head, content } = bytesOf(world, ask)
  const expectation: Expectation = {
    act: `${ask.act} ${ask.question.name}`,
    askedMs: performance.now(),
    allowed: ['ok'],
  }
  const manner = { pieces: [head, content], deadlineMs: world.deadlineMs, ...ask.manner }
  const heard = await converse(world.server.port, manner)
  const outcome = judge(world, expectation, heard)
  world.tally(ask.act, outcome.code)
  if (outcome.code !== 'ok' || outcome.answer === undefined) return outcome
  const code = await wrongIn(world, expectation, ask.question, outcome)
  return code === undefined ? outcome : { ...outcome, code }
}

/** What a stream told instead of its end, if it did. A wrong text is written down. */
async function wrongIn(
  world: World,
  expectation: Expectation,
  { name, reading }: Question,
  { answer }: Outcome,
): Promise<FailureCode | undefined> {
  if (answer === undefined) return undefined
  try {
    const text = await readText(reading, answer.body)
    const right = world.rightTexts.get(name)
    world.textsCompared++
    if (text !== right)
      world.verdicts.broken(
        'a wrong text',
        `${JSON.stringify(text)} is not ${JSON.stringify(right)}`,
        expectation.act,
      )
  } catch (error) {
    const told = error instanceof ToldFailure ? errorIn(JSON.stringify(error.envelope)) : undefined
    if (told === undefined) {
      const evidence = `${String(error)}: ${answer.body.toString('utf8').slice(0, 800)}`
      world.verdicts.broken('an answer that cannot be read', evidence, expectation.act)
      return undefined
    }
    requireAllowed(world, expectation, told.code, answer)
    world.tally(expectation.act.split(' ')[0] ?? '', `told in a stream: ${told.code}`)
    return told.code
  }
  return undefined
}

/** Until it is answered, or patience is over. Says whether it was. */
async function askUntilAnswered(world: World, ask: Ask): Promise<boolean> {
  let pauseMs = SHORTEST_PAUSE_MS
  for (let tries = 1; tries <= MOST_TRIES; tries++) {
    const { code, answer } = await askOnce(world, ask)
    if (!AGAIN.has(code)) return code === 'ok'
    const toldMs = Number(answer?.headers['retry-after'] ?? 0) * 1000
    // Nobody here has a minute: who comes back early is refused again, which is an answer too.
    await sleep(Math.min(LONGEST_PAUSE_MS, Math.max(pauseMs, toldMs)))
    pauseMs *= 2
  }
  world.tally(ask.act, 'gave up')
  return false
}

const UNSHARED = { 'cache-control': 'no-store' }

/** Sent at once, in chunks, or little by little; read at once or slowly; joined with others or alone. */
export async function goodAct(world: World, chance: Chance): Promise<void> {
  const question = chance.pick(world.questions)
  const body = bodyOf(world, question, chance)
  const headers: Record<string, string> = chance.is(0.7) ? UNSHARED : {}
  const ways = { plainly: 6, chunked: 2, trickled: 2, 'slowly-read': 2, again: 2 }
  const way = chance.weighted(ways)
  const ask: Ask = { question, body, headers, act: way }
  switch (way) {
    case 'plainly':
      return void (await askUntilAnswered(world, ask))
    case 'chunked':
      return void (await askUntilAnswered(world, { ...ask, isChunked: true }))
    case 'trickled': {
      const { head, content } = bytesOf(world, ask)
      const manner = {
        pieces: [head, ...pieces(content, Math.ceil(content.length / 20))],
        pauseMs: chance.between(5, 80),
      }
      return void (await askUntilAnswered(world, { ...ask, manner }))
    }
    case 'slowly-read':
      return void (await askUntilAnswered(world, {
        ...ask,
        manner: { readPauseMs: chance.between(20, 300) },
      }))
    case 'again':
      return comeBack(world, ask, chance)
    default:
      return way satisfies never
  }
}

/** Hangs up while it waits, and comes back with the same key for the same recording. */
async function comeBack(world: World, ask: Ask, chance: Chance): Promise<void> {
  const headers = { 'idempotency-key': `chaos-${chance.between(0, 1e9)}` }
  const leaving = { leavesAfterMs: chance.between(0, 1500) }
  const { code } = await askOnce(world, { ...ask, headers, manner: leaving })
  if (code === 'left') await askUntilAnswered(world, { ...ask, headers })
}
