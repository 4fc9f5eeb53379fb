/** Queues in files of their own, and what is injected into them: marks of processes that can die, timers that can stop. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { JobQueue } from '../../../src/jobs/job-queue.ts'
import { type ProcessMark, thisMachine } from '../../../src/jobs/sqlite/machine.ts'
import { openSqliteQueue } from '../../../src/jobs/sqlite/queue.ts'
import { createLog } from '../../../src/log.ts'
import type { OpenForProcesses } from '../crash-contract.ts'
import type { OpenQueue } from '../queue-contract.ts'
import { openQueue } from '../workers/opens-sqlite.ts'

/** In memory where there is such a place: no test here asks whether a disk keeps what it was told to, and it is ten times as quick. */
const ROOM = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export const SILENT = createLog('silent')

export interface Directory extends AsyncDisposable {
  readonly path: string
}

export async function aDirectory(): Promise<Directory> {
  const path = await mkdtemp(join(ROOM, 'hviske-jobs-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** Connections of one test: each says to the others that it is a process of its own, and they see when it dies. */
class Processes {
  readonly #dead = new Set<string>()
  #last = 0

  next() {
    const started = `process ${++this.#last}`
    const real = thisMachine()
    return {
      machine: {
        ...real,
        thisProcess: { ...real.thisProcess, started },
        isGone: (mark: ProcessMark) => this.#dead.has(mark.started),
      },
      every: (ms: number, act: () => void) => {
        const timer = setInterval(() => !this.#dead.has(started) && act(), ms)
        return { [Symbol.dispose]: () => clearInterval(timer) }
      },
      die: () => void this.#dead.add(started),
    }
  }
}

export const openForContract: OpenQueue = async (settings) => {
  const directory = await aDirectory()
  const processes = new Processes()
  const opened = new Map<JobQueue, () => void>()
  const openAnother = async () => {
    const { die, ...parts } = processes.next()
    const path = join(directory.path, 'jobs.sqlite')
    const queue = await openSqliteQueue({ path, log: SILENT, pollEveryMs: 5, ...settings, ...parts })
    opened.set(queue, die)
    return queue
  }
  return {
    queue: await openAnother(),
    openAnother,
    standStill: async (queue) => opened.get(queue)?.(),
    [Symbol.asyncDispose]: async () => {
      for (const queue of opened.keys()) await queue[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
    },
  }
}

export const openForProcesses: OpenForProcesses = async ({ mostAttemptsWithoutProgress }) => {
  const directory = await aDirectory()
  const settings = { path: join(directory.path, 'jobs.sqlite'), mostAttemptsWithoutProgress }
  const queue = await openQueue(settings)
  return {
    queue,
    opener: fileURLToPath(new URL('../workers/opens-sqlite.ts', import.meta.url)),
    settings,
    [Symbol.asyncDispose]: async () => {
      await queue[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
    },
  }
}
