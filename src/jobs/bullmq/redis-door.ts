/**
 * The one connection over which we ask Redis anything. Whoever asks while it is away waits, for a bounded time, and is then
 * told so; a question whose answer was lost on the way is asked again, so every question must bear that.
 */
import { Redis, type RedisOptions } from 'ioredis'
import { Failure } from '../../failure.ts'
import type { Log } from '../../log.ts'
import { until } from '../../until.ts'
import type { RedisAddress } from './address.ts'

/** It is just starting, or not yet the primary; or it takes nothing, for want of memory, disk or replicas. Both may pass. */
const NOT_NOW = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|UNBLOCKED|OOM|MISCONF|NOREPLICAS)\b/
const PAUSE_MS = 100
const PING_MS = 1_000

export interface DoorOptions {
  readonly address: RedisAddress
  readonly log: Log
  /** How long a question waits for Redis to come back, unless it says otherwise. */
  readonly patienceMs: number
  readonly scripts: NonNullable<RedisOptions['scripts']>
}

export class RedisDoor implements AsyncDisposable {
  readonly redis: Redis
  readonly #patienceMs: number
  readonly #asking = new Set<AbortController>()
  #isClosed = false
  #isReady: Promise<void> | undefined

  constructor({ address, log, patienceMs, scripts }: DoorOptions) {
    this.#patienceMs = patienceMs
    this.redis = new Redis({
      ...address.options,
      ...RECONNECTING,
      scripts,
      // What is under way when the connection breaks is refused to us at once, and nothing is sent that nobody waits for any more.
      maxRetriesPerRequest: 0,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
    })
    tellOutages(this.redis, address, log)
  }

  /** @throws Failure queue_unreachable */
  async ask<Answer>(
    question: (redis: Redis) => Promise<Answer>,
    patienceMs = this.#patienceMs,
  ): Promise<Answer> {
    const patience = new AbortController()
    const timer = setTimeout(() => patience.abort(), patienceMs)
    this.#asking.add(patience)
    if (this.#isClosed) patience.abort()
    try {
      return await this.#askUntil(question, patience.signal)
    } finally {
      clearTimeout(timer)
      this.#asking.delete(patience)
    }
  }

  async #askUntil<Answer>(
    question: (redis: Redis) => Promise<Answer>,
    patience: AbortSignal,
  ): Promise<Answer> {
    let lastError: unknown
    for (;;) {
      let isAsked = false
      try {
        await until(this.#ready(), patience)
        isAsked = true
        return await until(question(this.redis), patience)
      } catch (error) {
        if (patience.aborted) {
          // It took the question and says nothing: the next one shall have a connection that is alive.
          if (isAsked && !this.#isClosed) this.redis.disconnect(true)
          throw unreachable(lastError ?? error)
        }
        if (!isPassing(error)) throw error
        lastError = error
        await until(pause(PAUSE_MS), patience).catch(() => undefined)
      }
    }
  }

  async isReachable(): Promise<boolean> {
    try {
      await this.ask((redis) => redis.ping(), PING_MS)
      return true
    } catch {
      return false
    }
  }

  #ready(): Promise<void> {
    if (this.redis.status === 'ready') return Promise.resolve()
    this.#isReady ??= new Promise((resolve) => {
      this.redis.once('ready', () => {
        this.#isReady = undefined
        resolve()
      })
    })
    return this.#isReady
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    for (const patience of this.#asking) patience.abort()
    await hangUp(this.redis)
  }
}

/** For each of our connections: they come back by themselves, soon, and for ever. */
export const RECONNECTING: RedisOptions = {
  retryStrategy: (times) => Math.min(500, 50 * 2 ** Math.min(times, 4)),
  reconnectOnError: (error) => error.message.startsWith('READONLY'),
  connectTimeout: 5_000,
  keepAlive: 10_000,
}

/** One line when it goes, one when it is back, however often it is tried in between. */
function tellOutages(redis: Redis, { name }: RedisAddress, log: Log): void {
  let isAway = false
  redis.on('error', (error: Error) => {
    if (isAway) return
    isAway = true
    log.warn('redis, where jobs are kept, is away', { redis: name, reason: error.message })
  })
  redis.on('ready', () => {
    if (isAway) log.info('redis, where jobs are kept, is back', { redis: name })
    isAway = false
  })
}

/** Politely, so that what was sent is done; but nobody waits for a server that is gone. */
export async function hangUp(redis: Redis): Promise<void> {
  if (redis.status === 'end') return
  if (redis.status === 'ready') {
    await until(redis.quit(), AbortSignal.timeout(PING_MS)).catch(() => undefined)
  }
  redis.disconnect()
}

export function isUnreachable(error: unknown): boolean {
  return error instanceof Failure && error.code === 'queue_unreachable'
}

function unreachable(cause: unknown): Failure {
  return new Failure(
    'queue_unreachable',
    'The place where jobs are kept does not answer at the moment. Send the same request again a little later.',
    { cause },
  )
}

function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error.name === 'ReplyError') return NOT_NOW.test(error.message)
  const code = 'code' in error ? String(error.code) : ''
  return (
    error.name === 'MaxRetriesPerRequestError' ||
    error.name === 'AbortError' ||
    /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)/.test(code) ||
    /Connection is closed|Stream isn't writeable|Command timed out/.test(error.message)
  )
}

async function pause(milliseconds: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  setTimeout(resolve, milliseconds)
  await promise
}
