/** One run, from the first answer on a quiet server to what is left in the end. It decides in which order; others do and judge. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { FFMPEG } from '../audio/recordings.ts'
import { ROOT } from '../end-to-end/server.ts'
import {
  type Left,
  lookAtLeft,
  requireAllPlaces,
  requireNoProcess,
  requireNothingLeft,
  untilReady,
} from './aftermath.ts'
import { Chance } from './chance.ts'
import { goodAct } from './good-clients.ts'
import { Gremlin } from './gremlin.ts'
import { LogWatch } from './log-watch.ts'
import { MemoryWatch } from './memory.ts'
import { questions, readRecordings } from './questions.ts'
import { learnRightTexts, spokenSecrets } from './right-texts.ts'
import { leavingAct, lookingAct, wrongAct } from './rude-clients.ts'
import { ServerUnderTest } from './server-under-test.ts'
import { Timeline } from './timeline.ts'
import { Verdicts } from './verdicts.ts'
import type { World } from './world.ts'

export interface RunParts {
  readonly seed: number
  readonly minutes: number
  readonly clients: number
  /** Ends after so many acts, whatever the clock says. */
  readonly acts?: number
  readonly isBrief: boolean
  readonly dataDir: string
  readonly canFillDisk: boolean
}

export type Report = Awaited<ReturnType<typeof run>>

const PLACES = 4
const KEY = 'sk-chaos-0f3b9c5e7a'
/** Small, so that everything is full soon. */
const SETTINGS = {
  API_KEYS: `sk-chaos-of-nobody ${KEY}`,
  MAX_CONCURRENT_TRANSCRIPTIONS: String(PLACES),
  MAX_QUEUE_SIZE: '8',
  MAX_UPLOAD_BYTES: String(20_000_000),
  MAX_AUDIO_SECONDS: '3600',
  DISK_RESERVE_BYTES: String(1_000_000),
  EARLY_HEADERS_AFTER_SECONDS: '3',
  MAX_FAILED_KEYS_PER_MINUTE: '0',
  LOG_LEVEL: 'debug',
  METRICS: 'open',
}
/** A frozen child is noticed after half a minute; then come a new one, and everybody's turns. */
const DEADLINE_MS = 240_000
const LOOK_DEADLINE_MS = 30_000
/** Acts of clients between two deeds. */
const LEAST_ACTS_APART = 8
const MOST_ACTS_APART = 40
const BRIEF_ACTS_APART = 3
/** In the last part of a run Node is left alive, so that its memory tells something. */
const SPARED_SHARE = 0.5

export async function run(parts: RunParts) {
  const beganAt = new Date()
  const timeline = new Timeline()
  const verdicts = new Verdicts()
  const secrets = [KEY, ...(await spokenSecrets())]
  const log = new LogWatch({ timeline, verdicts, secrets })
  const workDir = await mkdtemp(join(tmpdir(), 'hviske-chaos-work-'))
  const outcomes: Record<string, Record<string, number>> = {}
  const server = await ServerUnderTest.start({
    dataDir: parts.dataDir,
    workDir,
    ffmpegPath: FFMPEG.path,
    environment: SETTINGS,
    timeline,
    log,
  })
  const world: World = {
    server,
    verdicts,
    timeline,
    log,
    questions: questions(parts.isBrief),
    recordings: await readRecordings(),
    rightTexts: new Map(),
    key: KEY,
    deadlineMs: DEADLINE_MS,
    lookDeadlineMs: LOOK_DEADLINE_MS,
    textsCompared: 0,
    tally(act, outcome) {
      const counts = (outcomes[act] ??= {})
      counts[outcome] = (counts[outcome] ?? 0) + 1
    },
  }
  const gremlin = new Gremlin({
    world,
    chance: new Chance(parts.seed, 'gremlin'),
    dataDir: parts.dataDir,
    canFillDisk: parts.canFillDisk,
    isBrief: parts.isBrief,
  })
  try {
    await learnRightTexts(world)
    const atFirst = await quietFrom(world, parts.dataDir)
    using memory = new MemoryWatch(server, parts.isBrief ? 1000 : 10_000)
    const chaosBeganMs = performance.now()
    const acts = await unleash(world, gremlin, parts)
    const chaosSeconds = Math.round((performance.now() - chaosBeganMs) / 1000)
    const atLast = await aftermath(world, parts.dataDir, atFirst)
    await memory.look()
    const level = memory.level()
    if (level !== undefined && !(level.server.isLevel && level.engines.isLevel))
      verdicts.broken('memory has grown', JSON.stringify(level))
    if (!parts.isBrief && level === undefined)
      verdicts.broken('memory could not be judged', 'too few samples')
    const endCode = await server.end('SIGTERM')
    if (endCode !== 0) verdicts.broken('the server did not end well', `status ${endCode}`)
    await requireNoProcess(world, parts.dataDir)
    const { breaches, counts } = verdicts
    return {
      date: beganAt.toISOString(),
      ...machine(),
      settings: {
        seed: parts.seed,
        minutes: parts.minutes,
        clients: parts.clients,
        canFillDisk: parts.canFillDisk,
      },
      server: Object.fromEntries(Object.entries(SETTINGS).filter(([name]) => name !== 'API_KEYS')),
      chaosSeconds,
      acts,
      requests: totalOf(outcomes),
      textsCompared: world.textsCompared,
      gremlin: gremlin.done,
      engineDeaths: log.engineDeaths,
      deathReasons: log.deathReasons,
      logLines: log.lines,
      brokenInvariants: counts,
      breaches,
      outcomes,
      left: { atFirst, atLast },
      memory: { level, samples: memory.samples },
    }
  } finally {
    await server.end('SIGKILL')
    await rm(workDir, { recursive: true, force: true })
  }
}

/** Descriptors are counted when the first connections have gone. */
async function quietFrom(world: World, dataDir: string): Promise<Left> {
  let left = await lookAtLeft(world, dataDir)
  for (let looks = 0; looks < 20; looks++) {
    const next = await lookAtLeft(world, dataDir)
    if (next.descriptors >= left.descriptors && looks > 4) break
    left = next
  }
  return left
}

/** All clients, each with its own stream of chance, and the gremlin between them. Returns the number of acts. */
async function unleash(world: World, gremlin: Gremlin, parts: RunParts): Promise<number> {
  const { seed, minutes, clients, acts = Number.POSITIVE_INFINITY } = parts
  const beganMs = performance.now()
  const share = () => Math.max((performance.now() - beganMs) / (minutes * 60_000), begun / acts)
  let begun = 0
  let ended = 0
  let nextDeedAt = LEAST_ACTS_APART
  let deed: Promise<void> | undefined
  const pace = new Chance(seed, 'pace')
  const disturb = () => {
    if (deed !== undefined || ended < nextDeedAt || share() >= 1) return
    deed = gremlin.act(!parts.isBrief && share() > SPARED_SHARE).finally(() => {
      deed = undefined
      nextDeedAt =
        ended + (parts.isBrief ? BRIEF_ACTS_APART : pace.between(LEAST_ACTS_APART, MOST_ACTS_APART))
    })
  }
  const client = async (number: number) => {
    const chance = new Chance(seed, `client ${number}`)
    while (share() < 1) {
      begun++
      await act(world, chance)
      ended++
      if (ended % 200 === 0) process.stderr.write(`${ended} acts, ${world.verdicts.total} broken\n`)
      disturb()
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, number) => client(number)))
  await deed
  return ended
}

async function act(world: World, chance: Chance): Promise<void> {
  const kind = chance.weighted({ good: 10, leaving: 4, wrong: 5, looking: 3 })
  switch (kind) {
    case 'good':
      return goodAct(world, chance)
    case 'leaving':
      return leavingAct(world, chance)
    case 'wrong':
      return wrongAct(world, chance)
    case 'looking':
      return lookingAct(world, chance)
    default:
      return kind satisfies never
  }
}

async function aftermath(world: World, dataDir: string, atFirst: Left): Promise<Left> {
  await untilReady(world)
  await requireAllPlaces(world, PLACES)
  return requireNothingLeft(world, dataDir, atFirst)
}

function totalOf(outcomes: Record<string, Record<string, number>>): number {
  return Object.values(outcomes)
    .flatMap((counts) => Object.values(counts))
    .reduce((sum, count) => sum + count, 0)
}

function machine() {
  const [first] = cpus()
  const git = (...words: string[]) => execFileSync('git', words, { cwd: ROOT, encoding: 'utf8' }).trim()
  const isChanged = git('status', '--porcelain', '--untracked-files=no') !== ''
  return {
    commit: `${git('rev-parse', '--short', 'HEAD')}${isChanged ? ' with changes' : ''}`,
    machine: `${first?.model.trim() ?? 'unknown'}, ${cpus().length} cores`,
    node: process.version,
    ffmpeg: { version: FFMPEG.version, isolation: FFMPEG.isolation },
  }
}
