/** Who breaks things: one deed after another, as the seed has it, each after so many acts of the clients. It judges nothing. */
import { rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Chance } from './chance.ts'
import { processesWith, signal } from './processes.ts'
import type { World } from './world.ts'

const DEEDS = {
  'kill the child': 6,
  'garbage on the wire': 3,
  'a stray print': 4,
  'a short freeze': 4,
  'a long freeze': 1,
  'kill an ffmpeg': 6,
  'fill the disk': 3,
  'kill it again and again': 1,
  'end Node': 2,
  'kill Node': 2,
} as const

export type Deed = keyof typeof DEEDS

/** Six beats of five seconds, and one that is nearly over. */
const LONGER_THAN_THE_HEARTBEAT_MS = 45_000
const BRIEF_FREEZE_MS = 1000
const LONGEST_FREEZE_MS = 12_000
/** Of the disk, when it is full; less than a recording takes. */
const LEFT_BYTES = 100_000
const FULL_MS = 4000
const BRIEFLY_FULL_MS = 1000
const GONE_MS = 15_000

export interface GremlinParts {
  readonly world: World
  readonly chance: Chance
  readonly dataDir: string
  /** Whether the disk is small and our own. */
  readonly canFillDisk: boolean
  readonly isBrief: boolean
}

export class Gremlin {
  readonly done: Record<string, number> = {}
  readonly #parts: GremlinParts
  /** In order, for a suite so short that chance would leave some out. */
  readonly #planned: Deed[]

  constructor(parts: GremlinParts) {
    this.#parts = parts
    this.#planned = parts.isBrief ? briefPlan(parts.canFillDisk) : []
  }

  /** In the short suite: each deed is to be done once. */
  get hasPlans(): boolean {
    return this.#planned.length > 0
  }

  /** One deed, from its beginning to its end. `sparesNode`: the server itself is to live on. */
  async act(sparesNode: boolean): Promise<void> {
    const deed = this.#choose(sparesNode)
    const hasDone = await this.#do(deed)
    const name = hasDone ? deed : `${deed} (there was none)`
    this.done[name] = (this.done[name] ?? 0) + 1
    process.stderr.write(`gremlin: ${name}\n`)
  }

  #choose(sparesNode: boolean): Deed {
    const { chance, canFillDisk, isBrief } = this.#parts
    if (isBrief) return this.#planned.shift() ?? 'a stray print'
    const left = {
      ...DEEDS,
      ...(sparesNode && { 'end Node': 0, 'kill Node': 0 }),
      ...(!canFillDisk && { 'fill the disk': 0 }),
    }
    return chance.weighted(left)
  }

  async #do(deed: Deed): Promise<boolean> {
    const { world, chance } = this.#parts
    const pid = await world.server.enginePid()
    switch (deed) {
      case 'kill the child':
        return signal(pid, 'SIGKILL')
      case 'garbage on the wire':
        return signal(pid, 'SIGUSR1')
      case 'a stray print':
        return signal(pid, 'SIGUSR2')
      case 'a short freeze':
        return this.#freeze(
          pid,
          this.#parts.isBrief ? BRIEF_FREEZE_MS : chance.between(1000, LONGEST_FREEZE_MS),
        )
      case 'a long freeze':
        return this.#freeze(pid, LONGER_THAN_THE_HEARTBEAT_MS)
      case 'kill an ffmpeg':
        return this.#killFfmpeg()
      case 'fill the disk':
        return this.#fillDisk()
      case 'kill it again and again':
        return this.#killOften()
      case 'end Node':
        return this.#restart('SIGTERM')
      case 'kill Node':
        return this.#restart('SIGKILL')
      default:
        return deed satisfies never
    }
  }

  async #freeze(pid: number | undefined, ms: number): Promise<boolean> {
    if (!signal(pid, 'SIGSTOP')) return false
    await sleep(ms)
    signal(pid, 'SIGCONT') // it may have been taken for dead, and be so
    return true
  }

  /** One lives for some milliseconds; so it is waited for, but not for ever. */
  async #killFfmpeg(): Promise<boolean> {
    const { world } = this.#parts
    for (let looks = 0; looks < 200; looks++) {
      const [pid] = await world.server.ffmpegPids()
      if (pid !== undefined) {
        const end = world.timeline.begin('ffmpegKilled')
        const hasHit = signal(pid, 'SIGKILL')
        await sleep(100) // until it is noticed
        end()
        return hasHit
      }
      await sleep(5)
    }
    return false
  }

  async #fillDisk(): Promise<boolean> {
    const { world, dataDir } = this.#parts
    const path = join(dataDir, 'somebody-elses')
    const { bavail, bsize } = await statfs(dataDir)
    const end = world.timeline.begin('fullDisk')
    await writeFile(path, Buffer.alloc(Math.max(0, bavail * bsize - LEFT_BYTES))).catch(() => {}) // full is what we want
    await sleep(this.#parts.isBrief ? BRIEFLY_FULL_MS : FULL_MS)
    await rm(path, { force: true })
    end()
    return true
  }

  /** Until it is let rest. */
  async #killOften(): Promise<boolean> {
    const { server } = this.#parts.world
    let kills = 0
    for (let looks = 0; looks < 600 && kills < 5; looks++) {
      if (signal(await server.enginePid(), 'SIGKILL')) kills++
      await sleep(100)
    }
    return kills > 0
  }

  async #restart(name: 'SIGTERM' | 'SIGKILL'): Promise<boolean> {
    const { world } = this.#parts
    const { server, verdicts } = world
    const pid = server.pid
    const end = world.timeline.begin('restart')
    const code = await server.end(name)
    if (name === 'SIGTERM' && code !== 0)
      verdicts.broken('a server that was told to end did not end well', `status ${code}`)
    await this.#requireGone(pid)
    await server.start()
    await sleep(100) // connections that were made to the old one hear of its end
    end()
    return true
  }

  /** The child dies with its parent, however that dies. */
  async #requireGone(serverPid: number): Promise<void> {
    const { dataDir, world } = this.#parts
    const spool = join(dataDir, 'spool', String(serverPid))
    for (const until = performance.now() + GONE_MS; ; await sleep(50)) {
      const left = (await processesWith(spool)).filter(({ state }) => state !== 'Z')
      if (left.length === 0) return
      if (performance.now() < until) continue
      world.verdicts.broken('a process outlives the server', JSON.stringify(left))
      for (const { pid } of left) signal(pid, 'SIGKILL')
      return
    }
  }
}

/** Not the end of Node, since that comes anyway. */
function briefPlan(canFillDisk: boolean): Deed[] {
  const disk: Deed[] = canFillDisk ? ['fill the disk'] : []
  return [
    'a stray print',
    'kill the child',
    'kill an ffmpeg',
    ...disk,
    'garbage on the wire',
    'a short freeze',
    'kill Node',
  ]
}
