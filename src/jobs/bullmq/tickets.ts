/**
 * The line of one lane: BullMQ jobs that hold nothing but the id of one of ours, and the locks on those that somebody works
 * on. What a ticket is good for, the record says; one too many is dropped, one too few is added again (sweeping.ts).
 *
 * These are the calls that BullMQ's own Queue and Worker make of its backend. Its Worker is not used: it would bring a loop,
 * a blocking connection and timers of its own, and waits seconds after an outage.
 */
import { hostname } from 'node:os'
import { createRedisBackend, Queue, type RedisQueueBackend } from 'bullmq'
import type { Lane } from '../job.ts'
import type { RedisDoor } from './redis-door.ts'

export interface LockTimes {
  /** How long a ticket stays locked by who does not say that it is still there. */
  readonly lockMs: number
  /** How often tickets are looked for whose lock has run out. A dead worker's ticket is found by the second look. */
  readonly sweepMs: number
}

/** How long nobody may be kept from what matters by a ticket: a missing one is found later. */
const TICKET_PATIENCE_MS = 3_000
/** BullMQ keeps a stream of what happens to tickets. Nothing of ours reads it. */
const EVENTS_FOR_THE_BOARD = 1_000
/** What Bull Board shows as who works on it. */
const WORKER_NAME = `${hostname()}:${process.pid}`

export class Tickets {
  readonly lane: Lane
  readonly lockMs: number
  readonly #door: RedisDoor
  readonly #backend: RedisQueueBackend
  readonly #queue: Queue

  constructor(door: RedisDoor, prefix: string, lane: Lane, { lockMs, sweepMs }: LockTimes) {
    this.lane = lane
    this.lockMs = lockMs
    this.#door = door
    const options = {
      connection: door.redis,
      prefix,
      // Its version check writes to the console what requirements.ts writes to the log.
      skipVersionCheck: true,
      skipWaitingForReady: true,
      lockDuration: lockMs,
      stalledInterval: sweepMs,
      // How often a job may be begun is the record's business.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      streams: { events: { maxLen: EVENTS_FOR_THE_BOARD } },
    }
    this.#backend = createRedisBackend(lane, options)
    this.#queue = new Queue(lane, options, () => this.#backend)
    // They repeat the errors of the door's connection, which tells them itself; an emitter without a listener would throw them.
    this.#queue.on('error', () => undefined)
  }

  /** Once: a second ticket for the same job is none. */
  async add(id: string): Promise<void> {
    await this.#ask(() => this.#queue.add('job', { id }, { jobId: id }))
  }

  /** The first of the line, locked with this token. Undefined: nobody waits. */
  async next(token: string): Promise<string | undefined> {
    const [, id] = await this.#door.ask(() => this.#backend.moveToActive(token, WORKER_NAME))
    return typeof id === 'string' && id !== '' ? id : undefined
  }

  /** Whether the lock is still that token's; if so, for another while. */
  async keep(id: string, token: string, patienceMs: number): Promise<boolean> {
    return (await this.#door.ask(() => this.#backend.extendLock(id, token, this.lockMs), patienceMs)) === 1
  }

  /** To the head of the line, if it is in it. */
  async putFirst(id: string): Promise<void> {
    await this.#ask(() => ifItCan(this.#backend.changePriority(id, 0, true)))
  }

  /** Of a job that is over. Not that token's any more: nothing happens. */
  async drop(id: string, token: string): Promise<void> {
    await this.#ask(() => ifItCan(this.#backend.moveToCompleted(ticketOf(id), null, true, token, false)))
  }

  /** Before all others of the line. */
  async giveBack(id: string, token: string): Promise<void> {
    await this.#ask(() => ifItCan(this.#backend.moveJobFromActiveToWait(id, token)))
  }

  /** Out of the line. One that is locked stays: whoever holds it drops it. */
  async remove(id: string): Promise<void> {
    await this.#ask(() => this.#backend.remove(id, false))
  }

  /** Puts those whose lock has run out before all others of the line; answers how many. */
  async wakeStalled(): Promise<number> {
    return (await this.#ask(() => this.#backend.moveStalledJobsToWait())).length
  }

  #ask<Answer>(question: () => Promise<Answer>): Promise<Answer> {
    return this.#door.ask(question, TICKET_PATIENCE_MS)
  }
}

/** As much of a BullMQ job as moving it asks for. */
function ticketOf(id: string): Parameters<RedisQueueBackend['moveToCompleted']>[0] {
  return { id, opts: {} } as Parameters<RedisQueueBackend['moveToCompleted']>[0]
}

/** BullMQ's answers when a ticket cannot be moved, or not by us: -1 it is gone, -2 its lock ran out, -3 it is not being worked on, -6 it is another's. */
const NOT_OURS: readonly unknown[] = [-1, -2, -3, -6]

async function ifItCan(moved: Promise<unknown>): Promise<void> {
  try {
    await moved
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && NOT_OURS.includes(error.code))) throw error
  }
}
