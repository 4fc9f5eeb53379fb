/**
 * Tickets and records are two things, and a crash may come between them. This looks now and then for what is left of
 * that: tickets whose holder is dead, jobs that nobody works on, pending jobs without a ticket.
 */
import type { Log } from '../../log.ts'
import type { News } from './news.ts'
import type { Records } from './records.ts'
import { isUnreachable } from './redis-door.ts'
import type { Tickets } from './tickets.ts'

export class Sweeping {
  readonly #records: Records
  readonly #lanes: readonly Tickets[]
  readonly #news: News
  readonly #log: Log

  constructor(parts: { records: Records; lanes: readonly Tickets[]; news: News; log: Log }) {
    this.#records = parts.records
    this.#lanes = parts.lanes
    this.#news = parts.news
    this.#log = parts.log
  }

  /** At once, then as often as that, until the signal. Never throws. */
  async keepSweeping(everyMs: number, signal: AbortSignal): Promise<void> {
    // Of no lane: nobody rings it but a connection that is back.
    using bell = this.#news.listen('lane:')
    while (!signal.aborted) {
      try {
        for (const tickets of this.#lanes) await this.#sweep(tickets)
      } catch (error) {
        if (!isUnreachable(error)) this.#log.error('the sweep of the job queue failed', { error })
      }
      await bell.heard(everyMs, signal).catch(() => undefined)
    }
  }

  async #sweep(tickets: Tickets): Promise<void> {
    const { lane } = tickets
    const woken = await tickets.wakeStalled()
    const ticketless = await this.#records.sweep(lane)
    for (const id of ticketless) await tickets.add(id)
    if (ticketless.length > 0)
      this.#log.info('tickets of jobs were missing', { lane, jobs: ticketless.length })
    if (woken + ticketless.length > 0) await this.#news.tell(`lane:${lane}`)
  }
}
