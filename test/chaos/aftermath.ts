/** What must be left when everybody has gone: nothing, and a server that works. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ROOT } from '../end-to-end/server.ts'
import { readExposition, valueOf } from '../exposition.ts'
import { converse } from './connection.ts'
import { askOnce } from './good-clients.ts'
import { readAnswers } from './http-answers.ts'
import { childrenOf, descriptorsOf, processesWith } from './processes.ts'
import { headOf, multipart } from './request-bytes.ts'
import type { World } from './world.ts'

/** Work that somebody may come back for lingers for half a minute; connections that nobody uses are looked at every ten seconds. */
const QUIET_WITHIN_MS = 120_000
const LOOK_EVERY_MS = 250

export interface Left {
  readonly descriptors: number
  readonly inFlight: number
  readonly active: number
  readonly waiting: number
  readonly files: readonly string[]
  readonly children: readonly string[]
}

export async function lookAtLeft(world: World, dataDir: string): Promise<Left> {
  const gauges = await gaugesOf(world)
  const spool = join(dataDir, 'spool')
  const entries = await readdir(spool, { recursive: true, withFileTypes: true }).catch(() => [])
  const own = join(spool, String(world.server.pid))
  const children = await childrenOf(world.server.pid)
  return {
    ...gauges,
    descriptors: await descriptorsOf(world.server.pid),
    files: entries.map((entry) => join(entry.parentPath, entry.name)).filter((path) => path !== own),
    // Figures are shown around, and where things lie on this machine is nobody's business.
    children: children.map(
      ({ command, state }) => `${state} ${command.replaceAll(ROOT, '.').replaceAll(dataDir, 'DATA_DIR')}`,
    ),
  }
}

/** The question itself is in flight. NaN where there is no such number. */
async function gaugesOf(world: World): Promise<Pick<Left, 'inFlight' | 'active' | 'waiting'>> {
  const head = headOf({ method: 'GET', path: '/metrics', headers: { authorization: `Bearer ${world.key}` } })
  const heard = await converse(world.server.port, { pieces: [head], deadlineMs: world.lookDeadlineMs })
  const families = readExposition(readAnswers(heard.bytes).answers[0]?.body.toString('utf8') ?? '\n')
  const queue = (state: string) => valueOf(families, 'hviske_queue_recordings', { state }) ?? Number.NaN
  const inFlight = valueOf(families, 'hviske_http_requests_in_flight') ?? Number.NaN
  return { inFlight, active: queue('active'), waiting: queue('waiting') }
}

/** Until nobody is waited for any more and the model is there. */
export async function untilReady(world: World): Promise<void> {
  const head = headOf({ method: 'GET', path: '/readyz', headers: {} })
  for (const until = performance.now() + QUIET_WITHIN_MS; ; await sleep(LOOK_EVERY_MS)) {
    const heard = await converse(world.server.port, { pieces: [head], deadlineMs: world.lookDeadlineMs })
    const { active, waiting } = await gaugesOf(world)
    if (readAnswers(heard.bytes).answers[0]?.status === 200 && active === 0 && waiting === 0) return
    if (performance.now() < until) continue
    return world.verdicts.broken(
      'the server does not become ready and idle',
      JSON.stringify({ active, waiting }),
    )
  }
}

/** Looks until it is as it should be, or time is over; then what is wrong is written down. */
export async function requireNothingLeft(world: World, dataDir: string, atFirst: Left): Promise<Left> {
  const until = performance.now() + QUIET_WITHIN_MS
  for (;;) {
    const left = await lookAtLeft(world, dataDir)
    const wrong = wrongIn(left, atFirst)
    if (wrong.length === 0) return left
    if (performance.now() < until) {
      await sleep(LOOK_EVERY_MS)
      continue
    }
    for (const [invariant, evidence] of wrong) world.verdicts.broken(invariant, evidence)
    return left
  }
}

function wrongIn(left: Left, atFirst: Left): [invariant: string, evidence: string][] {
  const isAlone = left.children.length === 1 && left.children[0]?.includes('whisper_worker')
  const isQuiet = left.inFlight === 1 && left.active === 0 && left.waiting === 0
  return [
    ...(left.files.length > 0 ? [['files are left', JSON.stringify(left.files)] as [string, string]] : []),
    ...(isAlone
      ? []
      : [['the server has other children than its one', JSON.stringify(left.children)] as [string, string]]),
    ...(isQuiet ? [] : [['a turn or a request is still taken', JSON.stringify(left)] as [string, string]]),
    ...(left.descriptors <= atFirst.descriptors
      ? []
      : [
          ['descriptors are left open', `${left.descriptors}, at first ${atFirst.descriptors}`] as [
            string,
            string,
          ],
        ]),
  ]
}

/** As many at once as there are places: each has to go through at the first try. */
export async function requireAllPlaces(world: World, places: number): Promise<void> {
  const question = world.questions.find(({ recording }) => recording === 'long.wav')
  const content = world.recordings.get('long.wav')
  if (question === undefined || content === undefined) throw new Error('nothing to ask')
  const body = multipart({ boundary: 'x', fields: question.fields, file: { name: 'a', content } })
  const headers = { 'cache-control': 'no-store' }
  const asked = Array.from({ length: places }, () => askOnce(world, { question, body, headers, act: 'last' }))
  for (const { code } of await Promise.all(asked)) {
    if (code !== 'ok') world.verdicts.broken('a place is not free in the end', code)
  }
}

/** After the server has ended: nobody may still name its directory. */
export async function requireNoProcess(world: World, dataDir: string): Promise<void> {
  const left = await processesWith(join(dataDir, 'spool'))
  if (left.length > 0) world.verdicts.broken('a process is left', JSON.stringify(left))
}
