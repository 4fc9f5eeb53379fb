/**
 * The driver for more than one machine: jobs on Redis or Valkey, handed out by BullMQ. It puts the parts together; what
 * they promise each other is in docs/decisions/0049-tickets-and-records.md.
 */
import { Failure } from '../../failure.ts'
import type { Log } from '../../log.ts'
import { until } from '../../until.ts'
import { MOST_ATTEMPTS_WITHOUT_PROGRESS } from '../abandoned.ts'
import { type JobOrder, type Lane, LANES, type NumberedJobEvent } from '../job.ts'
import type { JobFilter, JobQueue } from '../job-queue.ts'
import { type RedisAddress, redisAddress, USUAL_PREFIX } from './address.ts'
import { Claims } from './claims.ts'
import { News } from './news.ts'
import { Records } from './records.ts'
import { isUnreachable, RedisDoor } from './redis-door.ts'
import { checkRequirements } from './requirements.ts'
import { loadScripts } from './scripts.ts'
import { Sweeping } from './sweeping.ts'
import { Tickets } from './tickets.ts'

export interface BullQueueOptions {
  /** redis://… or rediss://…, with a password perhaps. */
  readonly url: string
  readonly log: Log
  /** Before the name of every key, so that several servers may share one Redis. In a cluster: `{hviske}`. */
  readonly prefix?: string
  /** How long a call waits for a Redis that does not answer. */
  readonly patienceMs?: number
  /** How long a worker may be silent before its job is another's. */
  readonly lockMs?: number
  /** How often the jobs of dead workers are looked for. */
  readonly sweepMs?: number
  /** How often a job may be begun without a new finished window before it is given up. */
  readonly mostAttemptsWithoutProgress?: number
  readonly nowMs?: () => number
}

const DEFAULTS = {
  prefix: USUAL_PREFIX,
  patienceMs: 10_000,
  lockMs: 60_000,
  sweepMs: 30_000,
  mostAttemptsWithoutProgress: MOST_ATTEMPTS_WITHOUT_PROGRESS,
  nowMs: Date.now,
}

/** A reader of events may miss a word from another process: it looks by itself. */
const LOOK_FOR_EVENTS_EVERY_MS = 5_000

/** A ticket that comes at the last moment is given back, if Redis is there. */
const CLOSING_MS = 2_000

/** @throws Failure queue_unreachable when Redis does not answer in time; Error when the URL is none */
export async function openBullQueue(options: BullQueueOptions): Promise<JobQueue> {
  const settings = { ...DEFAULTS, ...options }
  const address = redisAddress(settings.url)
  const { log, patienceMs } = settings
  const door = new RedisDoor({ address, log, patienceMs, scripts: loadScripts() })
  try {
    await door.ask((redis) => redis.ping())
    await checkRequirements(door.redis, log, address.name)
  } catch (error) {
    await door[Symbol.asyncDispose]()
    throw error
  }
  return new BullQueue(door, settings, address)
}

type Settings = BullQueueOptions & typeof DEFAULTS

class BullQueue implements JobQueue {
  readonly #door: RedisDoor
  readonly #news: News
  readonly #records: Records
  readonly #tickets: Readonly<Record<Lane, Tickets>>
  readonly #claims: Readonly<Record<Lane, Claims>>
  readonly #sweeping: Promise<void>
  readonly #closing = new AbortController()
  readonly #log: Log

  constructor(door: RedisDoor, settings: Settings, address: RedisAddress) {
    const { log, prefix, sweepMs } = settings
    this.#log = log
    this.#door = door
    this.#news = new News(door, address, prefix)
    this.#records = new Records(door, settings)
    this.#tickets = ofLanes((lane) => new Tickets(door, prefix, lane, settings))
    this.#claims = ofLanes((lane) => this.#claimsOf(lane))
    const sweeping = new Sweeping({
      records: this.#records,
      lanes: Object.values(this.#tickets),
      news: this.#news,
      log,
    })
    this.#sweeping = sweeping.keepSweeping(sweepMs, this.#closing.signal)
  }

  #claimsOf(lane: Lane): Claims {
    return new Claims({
      records: this.#records,
      tickets: this.#tickets[lane],
      news: this.#news,
      log: this.#log,
      closing: this.#closing.signal,
      mend: (id) => this.#mend(id),
    })
  }

  async add(order: JobOrder) {
    const added = await this.#records.add(order)
    if (added.isNew) await this.#enqueue(order)
    return added
  }

  find(id: string) {
    return this.#records.find(id)
  }

  findByKey(owner: string | undefined, key: string) {
    return this.#records.findByKey(owner, key)
  }

  list(filter: JobFilter) {
    return this.#records.list(filter)
  }

  placeInLine(id: string) {
    return this.#records.placeInLine(id)
  }

  counts() {
    return this.#records.counts()
  }

  claim(lane: Lane, signal: AbortSignal) {
    return this.#claims[lane].claim(signal)
  }

  async cancel(id: string) {
    const answer = await this.#records.cancel(id)
    if (answer?.isCancelled === true) await this.#removeTicket(id, answer.job.order.lane)
    return answer
  }

  async retry(id: string) {
    const job = await this.#records.retry(id)
    if (job !== undefined) await this.#enqueue(job.order)
    return job
  }

  async forget(id: string) {
    const lane = await this.#records.forget(id)
    if (lane !== undefined) await this.#removeTicket(id, lane)
  }

  endedBefore(atMs: number, limit: number) {
    return this.#records.endedBefore(atMs, limit)
  }

  async *events(id: string, after: number, signal: AbortSignal): AsyncGenerator<NumberedJobEvent> {
    signal.throwIfAborted()
    using bell = this.#news.listen(`job:${id}`)
    const ending = AbortSignal.any([signal, this.#closing.signal])
    for (let seen = after; ; ) {
      const { events, isOver } = await this.#patiently(() => this.#records.eventsAfter(id, seen), ending)
      for (const event of events) {
        yield event
        ending.throwIfAborted()
        seen = event.number
      }
      if (isOver) return
      if (events.length === 0) await bell.heard(LOOK_FOR_EVENTS_EVERY_MS, ending)
    }
  }

  windows(id: string) {
    return this.#records.windows(id)
  }

  lastWindows(id: string, most: number) {
    return this.#records.lastWindows(id, most)
  }

  isReachable() {
    return this.#door.isReachable()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Failure('shutting_down', 'The server is shutting down.'))
    const ending = [this.#sweeping, ...Object.values(this.#claims).map((claims) => claims.ended())]
    await until(Promise.all(ending), AbortSignal.timeout(CLOSING_MS)).catch(() => undefined)
    await this.#news[Symbol.asyncDispose]()
    await this.#door[Symbol.asyncDispose]()
  }

  /** The job is there already, so it is no failure of the caller's if its ticket is not: the sweep adds it. */
  async #enqueue({ id, lane }: JobOrder): Promise<void> {
    try {
      await this.#tickets[lane].add(id)
      await this.#news.tell(`lane:${lane}`)
    } catch (error) {
      this.#log.warn('a job has no ticket yet', { job: id, error })
    }
  }

  async #mend(id: string): Promise<void> {
    const job = await this.#records.find(id)
    if (job?.state === 'pending') await this.#enqueue(job.order)
  }

  /** For the eyes of whoever counts tickets; one that is left is dropped when its turn comes. */
  async #removeTicket(id: string, lane: Lane): Promise<void> {
    await this.#tickets[lane].remove(id).catch((error: unknown) => {
      this.#log.debug('a ticket was left in the line', { job: id, error })
    })
  }

  /** Redis being away does not end what waits for news: the signal does. */
  async #patiently<Answer>(question: () => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
    for (;;) {
      signal.throwIfAborted()
      try {
        return await until(question(), signal)
      } catch (error) {
        if (signal.aborted || !isUnreachable(error)) throw error
      }
    }
  }
}

function ofLanes<Part>(make: (lane: Lane) => Part): Readonly<Record<Lane, Part>> {
  return Object.fromEntries(LANES.map((lane) => [lane, make(lane)])) as Record<Lane, Part>
}
