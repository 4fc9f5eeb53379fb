/**
 * Whoever waits for a job of one lane, first come, first served. One of us at a time asks for a ticket, so that a process
 * with many hands does not ask many times; a ticket that comes when nobody waits any more goes back.
 */
import { randomUUID } from 'node:crypto'
import { until } from '../../until.ts'
import type { Lease } from '../job-queue.ts'
import { BullLease, type LeaseParts } from './lease.ts'
import { jobOf } from './record-fields.ts'
import { isUnreachable } from './redis-door.ts'

/** News may be lost, and a queue that was paused from the board says nothing when it goes on. */
const LOOK_AT_LEAST_EVERY_MS = 5_000

export interface ClaimParts extends LeaseParts {
  readonly closing: AbortSignal
}

export class Claims {
  readonly #parts: ClaimParts
  readonly #waiting: PromiseWithResolvers<Lease>[] = []
  #serving: Promise<void> | undefined

  constructor(parts: ClaimParts) {
    this.#parts = parts
  }

  /** @throws the signal's reason */
  async claim(signal: AbortSignal): Promise<Lease> {
    signal.throwIfAborted()
    const place = Promise.withResolvers<Lease>()
    this.#waiting.push(place)
    this.#serving ??= this.#serve()
    try {
      return await until(place.promise, AbortSignal.any([signal, this.#parts.closing]))
    } catch (error) {
      const index = this.#waiting.indexOf(place)
      if (index !== -1) this.#waiting.splice(index, 1)
      // It may have been handed out in the very moment: then nobody works on it.
      else void place.promise.then((lease) => lease.release()).catch(() => undefined)
      throw error
    }
  }

  /** When the queue is closing: nothing is in our hands any more that nobody waits for. */
  async ended(): Promise<void> {
    await this.#serving
  }

  async #serve(): Promise<void> {
    const { news, tickets, closing } = this.#parts
    using bell = news.listen(`lane:${tickets.lane}`)
    try {
      while (this.#waiting.length > 0 && !closing.aborted) {
        const lease = await this.#next()
        if (lease === 'none') await bell.heard(LOOK_AT_LEAST_EVERY_MS, closing)
        else if (lease !== 'not this one') await this.#handOut(lease)
      }
    } catch (error) {
      for (const { reject } of this.#waiting.splice(0)) reject(error)
    } finally {
      this.#serving = undefined
    }
  }

  async #handOut(lease: Lease): Promise<void> {
    const place = this.#waiting.shift()
    if (place === undefined) await lease.release()
    else place.resolve(lease)
  }

  /** Redis being away is no answer: who waits for a job goes on waiting. */
  async #next(): Promise<Lease | 'none' | 'not this one'> {
    const { tickets, records } = this.#parts
    const token = randomUUID()
    try {
      const favourite = await records.favourite(tickets.lane)
      if (favourite !== undefined) await tickets.putFirst(favourite)
      const fetchedAtMs = performance.now()
      const id = await tickets.next(token)
      if (id === undefined) return 'none'
      const record = await records.claim(id, token)
      if (record !== undefined) return await this.#leaseOf(record, id, token, fetchedAtMs)
      await tickets.drop(id, token)
      await this.#parts.mend(id)
      return 'not this one'
    } catch (error) {
      if (!isUnreachable(error)) throw error
      return 'none'
    }
  }

  async #leaseOf(
    record: readonly string[],
    id: string,
    token: string,
    fetchedAtMs: number,
  ): Promise<Lease | 'not this one'> {
    const { records, tickets, log } = this.#parts
    try {
      return new BullLease(jobOf(record), token, fetchedAtMs, this.#parts)
    } catch (error) {
      log.error('a job cannot be read and has failed', { job: id, error })
      await records.finish(id, token, { state: 'failed', failure: UNREADABLE }, tickets.lockMs)
      await tickets.drop(id, token)
      return 'not this one'
    }
  }
}

const UNREADABLE = {
  code: 'internal_error',
  message: 'The job could not be read by the version of the server that took it up.',
  param: null,
}
