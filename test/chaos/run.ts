/** One run, from the first answer on a quiet server to what is left in the end. It decides in which order; others do and judge. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FFMPEG } from '../audio/recordings.ts'
import {
  type Left,
  lookAtLeft,
  requireAllPlaces,
  requireNoProcess,
  requireNothingLeft,
  untilReady,
} from './aftermath.ts'
import { Chance } from './chance.ts'
import { Gremlin } from './gremlin.ts'
import { LogWatch } from './log-watch.ts'
import { machine } from './machine.ts'
import { MemoryWatch } from './memory.ts'
import { questions, readRecordings } from './questions.ts'
import { learnRightTexts, spokenSecrets } from './right-texts.ts'
import { ServerUnderTest } from './server-under-test.ts'
import { DEADLINE_MS, KEY, LOOK_DEADLINE_MS, PLACES, SETTINGS } from './settings.ts'
import { Timeline } from './timeline.ts'
import { unleash } from './unleash.ts'
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

export async function run(parts: RunParts) {
  const beganAt = new Date()
  const made = machine()
  const workDir = await mkdtemp(join(tmpdir(), 'hviske-chaos-work-'))
  const { world, log, outcomes } = await openWorld(parts, workDir)
  const { server, verdicts } = world
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
    const level = requireLevel(world, memory, parts)
    const endCode = await server.end('SIGTERM')
    if (endCode !== 0) verdicts.broken('the server did not end well', `status ${endCode}`)
    await requireNoProcess(world, parts.dataDir)
    return {
      date: beganAt.toISOString(),
      ...made,
      ...told(parts, world, log),
      chaosSeconds,
      acts,
      requests: totalOf(outcomes),
      gremlin: gremlin.done,
      outcomes,
      left: { atFirst, atLast },
      memory: { level, samples: memory.samples },
    }
  } finally {
    await server.end('SIGKILL')
    await rm(workDir, { recursive: true, force: true })
  }
}

async function openWorld(parts: RunParts, workDir: string) {
  const timeline = new Timeline()
  const verdicts = new Verdicts()
  const log = new LogWatch({ timeline, verdicts, secrets: [KEY, ...(await spokenSecrets())] })
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
  return { world, log, outcomes }
}

function requireLevel({ verdicts }: World, memory: MemoryWatch, { isBrief }: RunParts) {
  const level = memory.level()
  if (level !== undefined && !(level.server.isLevel && level.engines.isLevel))
    verdicts.broken('memory has grown', JSON.stringify(level))
  if (!isBrief && level === undefined) verdicts.broken('memory could not be judged', 'too few samples')
  return level
}

function told(
  { seed, minutes, clients, canFillDisk }: RunParts,
  { verdicts, textsCompared }: World,
  log: LogWatch,
) {
  return {
    settings: { seed, minutes, clients, canFillDisk },
    server: Object.fromEntries(Object.entries(SETTINGS).filter(([name]) => name !== 'API_KEYS')),
    textsCompared,
    engineDeaths: log.engineDeaths,
    deathReasons: log.deathReasons,
    logLines: log.lines,
    brokenInvariants: verdicts.counts,
    breaches: verdicts.breaches,
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

async function aftermath(world: World, dataDir: string, atFirst: Left): Promise<Left> {
  await untilReady(world)
  await requireAllPlaces(world, PLACES)
  return requireNothingLeft(world, dataDir, atFirst)
}

/** Beside the requests of which they are told. */
const NO_REQUESTS = /^(gave up$|told in a stream)/

function totalOf(outcomes: Record<string, Record<string, number>>): number {
  return Object.values(outcomes)
    .flatMap((counts) => Object.entries(counts))
    .filter(([outcome]) => !NO_REQUESTS.test(outcome))
    .map(([, count]) => count)
    .reduce((sum, count) => sum + count, 0)
}
