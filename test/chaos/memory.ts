/** How much memory the server and its child hold, every some seconds, and whether it stayed level. */
import { residentMib } from './processes.ts'
import type { ServerUnderTest } from './server-under-test.ts'

interface Sample {
  readonly atSeconds: number
  readonly serverPid: number
  readonly serverMib: number
  readonly enginePid: number | undefined
  readonly engineMib: number | undefined
}

/** Of what was held when it had warmed up: more at the end is a leak. Node's heap may breathe by as much. */
const MOST_GROWTH = 1.25
const MOST_GROWTH_MIB = 64

export class MemoryWatch implements Disposable {
  readonly samples: Sample[] = []
  readonly #server: ServerUnderTest
  readonly #timer: NodeJS.Timeout
  readonly #beganMs = performance.now()

  constructor(server: ServerUnderTest, everyMs: number) {
    this.#server = server
    this.#timer = setInterval(() => void this.look(), everyMs) // never rejects
  }

  async look(): Promise<void> {
    try {
      const [serverPid, enginePid] = [this.#server.pid, await this.#server.enginePid()]
      const serverMib = await residentMib(serverPid)
      const engineMib = enginePid === undefined ? undefined : await residentMib(enginePid)
      const atSeconds = Math.round((performance.now() - this.#beganMs) / 1000)
      if (serverMib !== undefined)
        this.samples.push({ atSeconds, serverPid, serverMib, enginePid, engineMib })
    } catch {
      // It is being restarted: there is nothing to measure.
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  /** Of the server that lived last: medians of the second tenth and the last tenth of its samples. Undefined when there are too few. */
  level() {
    const last = this.samples.at(-1)?.serverPid
    const mine = this.samples.filter(({ serverPid }) => serverPid === last)
    if (mine.length < 20) return undefined
    const tenth = Math.floor(mine.length / 10)
    const server = levelOf(mine.slice(tenth, 2 * tenth), mine.slice(-tenth), ({ serverMib }) => serverMib)
    return { samples: mine.length, server, engines: enginesOf(this.samples) }
  }
}

function levelOf(early: readonly Sample[], late: readonly Sample[], of: (sample: Sample) => number) {
  const [warmMib, endMib] = [median(early.map(of)), median(late.map(of))]
  const allowedMib = Math.round(Math.max(warmMib * MOST_GROWTH, warmMib + MOST_GROWTH_MIB))
  return { warmMib, endMib, allowedMib, isLevel: endMib <= allowedMib }
}

/** Each child's highest, in the order of their lives: children are young, so it is the row that must not rise. */
function enginesOf(samples: readonly Sample[]) {
  const lives = Map.groupBy(samples, ({ enginePid }) => enginePid)
  lives.delete(undefined)
  const highest = [...lives.values()].map((life) => Math.max(...life.map(({ engineMib = 0 }) => engineMib)))
  const third = Math.max(1, Math.floor(highest.length / 3))
  const [firstMib, lastMib] = [median(highest.slice(0, third)), median(highest.slice(-third))]
  const allowedMib = Math.round(Math.max(firstMib * MOST_GROWTH, firstMib + MOST_GROWTH_MIB))
  return {
    lives: highest.length,
    firstMib,
    lastMib,
    allowedMib,
    isLevel: lastMib <= allowedMib,
    highestMib: Math.max(...highest),
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
