/**
 * What is known of each job, the truth of this driver: every verb is one script that also asks whether the lease is still
 * held. Whose turn it is lies elsewhere (tickets.ts), and may be behind.
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { abandonment } from '../abandoned.ts'
import {
  type FinishedWindow,
  hasEnded,
  type Job,
  JOB_STATES,
  type JobFailure,
  type JobOrder,
  type Lane,
  LANES,
  type NumberedJobEvent,
} from '../job.ts'
import type { JobCounts, JobFilter } from '../job-queue.ts'
import { jobOf, jobsOf, numberedEvents, windowEvent } from './record-fields.ts'
import type { RedisDoor } from './redis-door.ts'
import { runScript, type ScriptName } from './scripts.ts'

/** How many events are fetched at once: some hundred kilobytes. */
const EVENTS_AT_ONCE = 100
const SWEPT_AT_ONCE = 1_000

const Flag = z.literal([0, 1]).transform((flag) => flag === 1)
const MaybeRecord = z.array(z.string()).nullable()
const FlagAndRecord = z.tuple([Flag, z.array(z.string())])

export class Records {
  readonly #door: RedisDoor
  readonly #prefix: string
  readonly #nowMs: () => number
  readonly #abandoning: readonly [number, string]

  constructor(
    door: RedisDoor,
    settings: { prefix: string; mostAttemptsWithoutProgress: number; nowMs: () => number },
  ) {
    const { mostAttemptsWithoutProgress: most } = settings
    this.#door = door
    this.#prefix = settings.prefix
    this.#nowMs = settings.nowMs
    this.#abandoning = [most, JSON.stringify(abandonment(most))]
  }

  async add(order: JobOrder): Promise<{ job: Job; isNew: boolean }> {
    const { id, lane, owner } = order
    const key = order.idempotencyKey
    const answer = await this.#run('add', [
      id,
      JSON.stringify(order),
      lane,
      owner === undefined ? '' : setOf(owner),
      key === undefined ? '' : fieldOf(owner, key),
      order.createdAtMs,
      randomUUID(),
    ])
    const [isNew, record] = FlagAndRecord.parse(answer)
    return { isNew, job: jobOf(record) }
  }

  async find(id: string): Promise<Job | undefined> {
    const fields = await this.#door.ask((redis) => redis.hgetall(`${this.#prefix}:job:${id}`))
    return fields['state'] === undefined ? undefined : jobOf(Object.entries(fields).flat())
  }

  async findByKey(owner: string | undefined, key: string): Promise<Job | undefined> {
    const id = await this.#door.ask((redis) => redis.hget(`${this.#prefix}:idempotency`, fieldOf(owner, key)))
    return id === null ? undefined : this.find(id)
  }

  async list({ owner, states, before, limit }: JobFilter): Promise<readonly Job[]> {
    if (states?.length === 0) return []
    const set = owner === undefined ? 'jobs' : setOf(owner)
    return jobsOf(await this.#run('list', [set, before ?? '', limit, ...(states ?? [])]))
  }

  async endedBefore(atMs: number, limit: number): Promise<readonly Job[]> {
    return jobsOf(await this.#run('ended', [atMs, limit]))
  }

  async placeInLine(id: string): Promise<number | undefined> {
    return (
      z
        .number()
        .nullable()
        .parse(await this.#run('place', [id])) ?? undefined
    )
  }

  async counts(): Promise<JobCounts> {
    const places = LANES.flatMap((lane) => JOB_STATES.map((state) => ({ lane, state })))
    const answer = await this.#run(
      'counts',
      places.map(({ lane, state }) => `${lane}:${state}`),
    )
    const numbers = z.array(z.number()).length(places.length).parse(answer)
    const counted = places.map((place, index) => ({ ...place, count: numbers[index] as number }))
    const ofLane = (lane: Lane) =>
      Object.fromEntries(
        counted.filter((each) => each.lane === lane).map(({ state, count }) => [state, count]),
      )
    return Object.fromEntries(LANES.map((lane) => [lane, ofLane(lane)])) as JobCounts
  }

  /** Whose ticket should be the first of the line, if it is not. */
  async favourite(lane: Lane): Promise<string | undefined> {
    return (
      z
        .string()
        .nullable()
        .parse(await this.#run('favourite', [lane])) ?? undefined
    )
  }

  /** With the ticket in hand. Undefined: there is nothing to do for it. The record may be one that we cannot read. */
  async claim(id: string, token: string): Promise<readonly string[] | undefined> {
    const answer = await this.#run('claim', [id, token, this.#nowMs(), ...this.#abandoning])
    return MaybeRecord.parse(answer) ?? undefined
  }

  async cancel(id: string): Promise<{ job: Job; isCancelled: boolean } | undefined> {
    const answer = FlagAndRecord.nullable().parse(
      await this.#run('cancel', [id, this.#nowMs(), randomUUID()]),
    )
    return answer === null ? undefined : { isCancelled: answer[0], job: jobOf(answer[1]) }
  }

  async retry(id: string): Promise<Job | undefined> {
    const record = MaybeRecord.parse(await this.#run('retry', [id, randomUUID()]))
    return record === null ? undefined : jobOf(record)
  }

  /** Its lane. Undefined: there was none. */
  async forget(id: string): Promise<Lane | undefined> {
    return (
      z
        .enum(LANES)
        .nullable()
        .parse(await this.#run('forget', [id])) ?? undefined
    )
  }

  /** `isOver`: no more is to come, unless it is tried again. */
  async eventsAfter(id: string, after: number): Promise<{ events: NumberedJobEvent[]; isOver: boolean }> {
    const answer = await this.#run('events', [id, after, EVENTS_AT_ONCE])
    const [state, lines] = z.tuple([z.enum(JOB_STATES).nullable(), z.array(z.string())]).parse(answer)
    const isLast = lines.length < EVENTS_AT_ONCE
    return {
      events: numberedEvents(lines, after + 1),
      isOver: isLast && (state === null || hasEnded({ state })),
    }
  }

  async windows(id: string): Promise<readonly FinishedWindow[]> {
    const windows: FinishedWindow[] = []
    for (let after = 0; ; after += EVENTS_AT_ONCE) {
      const { events } = await this.eventsAfter(id, after)
      for (const { event } of events) if (event.kind === 'window') windows.push(event.window)
      if (events.length < EVENTS_AT_ONCE) return windows
    }
  }

  /** What else has happened lies among them, so there may be fewer. */
  async lastWindows(id: string, most: number): Promise<readonly FinishedWindow[]> {
    const lines = await this.#door.ask((redis) => redis.lrange(`${this.#prefix}:events:${id}`, -most, -1))
    return numberedEvents(lines, 1).flatMap(({ event }) => (event.kind === 'window' ? event.window : []))
  }

  /** Whose worker is dead is pending again. Answers the pending jobs of the lane that have no ticket. */
  async sweep(lane: Lane): Promise<readonly string[]> {
    const missing: string[] = []
    for (let from = 0; ; from += SWEPT_AT_ONCE) {
      const part = [from, from + SWEPT_AT_ONCE - 1]
      const answer = await this.#run('sweep', [lane, this.#nowMs(), ...this.#abandoning, ...part])
      const [total, ids] = z.tuple([z.number(), z.array(z.string())]).parse(answer)
      missing.push(...ids)
      if (from + SWEPT_AT_ONCE >= total) return missing
    }
  }

  async holds(id: string, token: string, patienceMs: number): Promise<boolean> {
    return Flag.parse(await this.#run('holds', [id, token], patienceMs))
  }

  async lengthIs(id: string, token: string, seconds: number, patienceMs: number): Promise<boolean> {
    return Flag.parse(await this.#run('length', [id, token, seconds], patienceMs))
  }

  async finishedWindow(
    id: string,
    token: string,
    window: FinishedWindow,
    patienceMs: number,
  ): Promise<boolean> {
    const { processedSeconds, durationSeconds } = window
    const args = [id, token, randomUUID(), windowEvent(window), processedSeconds, durationSeconds]
    return Flag.parse(await this.#run('window', args, patienceMs))
  }

  async finish(id: string, token: string, end: JobEnd, patienceMs: number): Promise<boolean> {
    const failure = end.failure === undefined ? '' : JSON.stringify(end.failure)
    const args = [id, token, end.state, this.#nowMs(), end.resultKey ?? '', failure]
    return Flag.parse(await this.#run('finish', args, patienceMs))
  }

  async release(id: string, token: string, patienceMs: number): Promise<boolean> {
    return Flag.parse(await this.#run('release', [id, token], patienceMs))
  }

  #run(name: ScriptName, args: readonly (string | number)[], patienceMs?: number): Promise<unknown> {
    return this.#door.ask((redis) => runScript(redis, name, this.#prefix, args), patienceMs)
  }
}

export interface JobEnd {
  readonly state: 'completed' | 'failed'
  readonly failure?: JobFailure
  readonly resultKey?: string
}

const setOf = (owner: string) => `owner:${owner}`

/** Nobody is an owner, too. */
const fieldOf = (owner: string | undefined, key: string) => JSON.stringify([owner ?? null, key])
