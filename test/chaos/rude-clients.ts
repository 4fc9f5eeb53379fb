/** Clients that leave, and clients that send what cannot be right: each with what it may hear, and nothing else. */
import type { Chance } from './chance.ts'
import { converse, type Manner } from './connection.ts'
import { askOnce, bodyOf, bytesOf } from './good-clients.ts'
import { headOf, pieces } from './request-bytes.ts'
import { type Expectation, judge } from './verdicts.ts'
import type { World } from './world.ts'
import { SPEECH, type Wrong, WRONGS } from './wrongs.ts'

/** While uploading, while waiting, while reading, or with nothing but a beginning. */
export async function leavingAct(world: World, chance: Chance): Promise<void> {
  const question = chance.pick(world.questions)
  const ask = { question, body: bodyOf(world, question, chance), headers: { 'cache-control': 'no-store' } }
  const when = chance.weighted({
    'left-uploading': 3,
    'left-waiting': 4,
    'left-reading': 2,
    'left-in-head': 2,
  })
  const { head, content } = bytesOf(world, { ...ask, act: when })
  const inPieces = [head, ...pieces(content, Math.ceil(content.length / 10))]
  switch (when) {
    case 'left-uploading':
      return leave(
        world,
        { ...ask, act: when },
        { pieces: inPieces, pauseMs: 5, leavesAfterPieces: chance.between(1, 9) },
      )
    case 'left-waiting':
      return leave(world, { ...ask, act: when }, { leavesAfterMs: chance.between(0, 3000) })
    case 'left-reading':
      return leave(world, { ...ask, act: when }, { leavesAfterBytes: chance.between(1, 1500) })
    case 'left-in-head':
      return leave(
        world,
        { ...ask, act: when },
        {
          pieces: [head.subarray(0, chance.between(0, head.length - 5))],
          leavesAfterMs: chance.between(0, 4000),
        },
      )
    default:
      return when satisfies never
  }
}

async function leave(
  world: World,
  ask: Parameters<typeof askOnce>[1],
  manner: Partial<Manner>,
): Promise<void> {
  await askOnce(world, { ...ask, manner })
}

/** The server may close the connection of who breaks HTTP itself, and of who sends on what it has refused. */
export async function wrongAct(world: World, chance: Chance): Promise<void> {
  const name = chance.pick(Object.keys(WRONGS))
  const wrong = WRONGS[name]?.(chance)
  if (wrong === undefined) throw new Error(`nothing wrong with ${name}`)
  const { allowed, leavesAfterMs, mayBeSeveral = false } = wrong
  const expectation: Expectation = {
    act: `wrong: ${name}`,
    askedMs: performance.now(),
    allowed,
    mayBeSeveral,
  }
  const manner = { pieces: bytesOfWrong(world, wrong), deadlineMs: world.deadlineMs }
  const heard = await converse(world.server.port, {
    ...manner,
    ...(leavesAfterMs !== undefined && { leavesAfterMs }),
  })
  world.tally(`wrong: ${name}`, judge(world, expectation, heard).code)
}

function bytesOfWrong(world: World, { head, body, bytes }: Wrong): Buffer[] {
  if (bytes !== undefined) return [bytes]
  const usual = body && { 'content-type': body.contentType, 'content-length': String(body.content.length) }
  const headers = { authorization: `Bearer ${world.key}`, ...usual, ...head?.headers }
  const whole = headOf({ path: SPEECH, ...head, headers })
  return body === undefined ? [whole] : [whole, body.content]
}

const PAGES = ['/health', '/livez', '/readyz', '/startupz', '/metrics', '/v1/models', '/', '/openapi.json']

/** Whoever only looks is answered whatever happens; where the answer is not 200, it says that the engine is not there. */
export async function lookingAct(world: World, chance: Chance): Promise<void> {
  const path = chance.pick(PAGES)
  const expectation: Expectation = { act: `looking ${path}`, askedMs: performance.now(), allowed: ['ok'] }
  const head = headOf({ method: 'GET', path, headers: { authorization: `Bearer ${world.key}` } })
  const heard = await converse(world.server.port, { pieces: [head], deadlineMs: world.lookDeadlineMs })
  if (isUnready(heard.bytes)) {
    const isExcused =
      world.timeline.since('engineDown', expectation.askedMs) +
      world.timeline.since('restart', expectation.askedMs)
    if (isExcused === 0)
      world.verdicts.broken(
        'a probe says unready without a reason',
        heard.bytes.toString('utf8').slice(0, 500),
        expectation.act,
      )
    return world.tally('looking', 'unready')
  }
  world.tally('looking', judge(world, expectation, heard).code)
}

/** Probes answer 503 in their own shape. */
function isUnready(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, 12) === 'HTTP/1.1 503' && !bytes.includes('"error"')
}
