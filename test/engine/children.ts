// Starts the small bad children of test/workers, makes samples for them, and gathers what the log was told.
import { fileURLToPath } from 'node:url'
import type { WorkerCommand } from '../../src/engine/command.ts'
import type { PcmExtent, PcmSource } from '../../src/engine/events.ts'
import { createLog, type Log } from '../../src/log.ts'
import { until } from '../../src/until.ts'

const WORKERS = fileURLToPath(new URL('../workers/', import.meta.url))

export function child(name: string): WorkerCommand {
  return { file: process.execPath, args: [`${name}.ts`], cwd: WORKERS, environment: {} }
}

export const SILENT = createLog('silent')
export const NEVER = new AbortController().signal

/** A recording that is all there. */
export function whole(path: string, samples = 32_000): PcmSource {
  const extent = { samples, isComplete: true }
  return { path, extent, grownBeyond: async () => extent }
}

/** A recording that grows when the test says so. */
export class GrowingSource implements PcmSource {
  readonly path = '/growing'
  extent: PcmExtent = { samples: 560_000, isComplete: false }
  /** How many wait for more. */
  waiting = 0
  #changed = Promise.withResolvers<void>()

  grow(samples: number, isComplete = false): void {
    this.extent = { samples, isComplete }
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  async grownBeyond(known: PcmExtent, signal: AbortSignal): Promise<PcmExtent> {
    this.waiting++
    try {
      while (!this.extent.isComplete && this.extent.samples <= known.samples) {
        await until(this.#changed.promise, signal)
      }
      return this.extent
    } finally {
      this.waiting--
    }
  }
}

export function recordingLog(): {
  log: Log
  entries: { level: string; message: string; [fact: string]: unknown }[]
} {
  const entries: { level: string; message: string }[] = []
  return { log: createLog('debug', (line) => entries.push(JSON.parse(line))), entries }
}

export async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  return Array.fromAsync(items)
}
