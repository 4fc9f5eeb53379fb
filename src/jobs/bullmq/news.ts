/**
 * Word between processes that something has happened, so that nobody has to ask again and again. It may be lost (Redis
 * remembers none of it), so it only ever wakes somebody who then looks, and who looks now and then without being woken.
 */
import { Redis } from 'ioredis'
import { until } from '../../until.ts'
import type { RedisAddress } from './address.ts'
import { hangUp, RECONNECTING, type RedisDoor } from './redis-door.ts'

/** Somebody waits in the line of a lane; something happened to a job; whoever holds a job's lease shall look whether it still does. */
export type Topic = `lane:${string}` | `job:${string}` | `lease:${string}`

export class News implements AsyncDisposable {
  readonly #door: RedisDoor
  readonly #channel: string
  readonly #subscriber: Redis
  readonly #bells = new Map<string, Set<Bell>>()

  constructor(door: RedisDoor, address: RedisAddress, prefix: string) {
    this.#door = door
    this.#channel = `${prefix}:news`
    this.#subscriber = new Redis({ ...address.options, ...RECONNECTING, maxRetriesPerRequest: null })
    // Both connections go and come together: the door tells of it.
    this.#subscriber.on('error', () => undefined)
    this.#subscriber.on('message', (_channel, topic) => this.#ring(topic))
    // What was said while nobody listened is not said again.
    this.#subscriber.on('ready', () => this.#ringAll())
    void this.#subscriber.subscribe(this.#channel).then(
      () => this.#ringAll(),
      () => undefined, // closed before it was open
    )
  }

  /** From now on, until it is disposed of. */
  listen(topic: Topic): Bell {
    const bells = this.#bells.get(topic) ?? new Set<Bell>()
    this.#bells.set(topic, bells)
    const bell = new Bell(() => {
      bells.delete(bell)
      if (bells.size === 0 && this.#bells.get(topic) === bells) this.#bells.delete(topic)
    })
    bells.add(bell)
    return bell
  }

  /** Here at once; elsewhere if it can be. */
  async tell(topic: Topic): Promise<void> {
    this.#ring(topic)
    await this.#door.ask((redis) => redis.publish(this.#channel, topic), TELLING_MS).catch(() => undefined)
  }

  #ring(topic: string): void {
    for (const bell of this.#bells.get(topic) ?? []) bell.ring()
  }

  #ringAll(): void {
    for (const topic of this.#bells.keys()) this.#ring(topic)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await hangUp(this.#subscriber)
  }
}

const TELLING_MS = 1_000

/** Remembers that it was rung while nobody was waiting, so that nothing is missed between looking and waiting. */
export class Bell implements Disposable {
  readonly #takeDown: () => void
  #rung = Promise.withResolvers<void>()

  constructor(takeDown: () => void) {
    this.#takeDown = takeDown
  }

  ring(): void {
    this.#rung.resolve()
  }

  /**
   * When it has been rung since the last time, or after that long.
   *
   * @throws the signal's reason
   */
  async heard(atMostMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const tooLong = Promise.withResolvers<void>()
    const timer = setTimeout(tooLong.resolve, atMostMs)
    try {
      await until(Promise.race([this.#rung.promise, tooLong.promise]), signal)
    } finally {
      clearTimeout(timer)
    }
    this.#rung = Promise.withResolvers()
  }

  [Symbol.dispose](): void {
    this.#takeDown()
  }
}
