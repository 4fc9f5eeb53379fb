/** The rows of what has happened to the jobs. Who reads them, and when there are more, is decided elsewhere. */
import type { StatementSync } from 'node:sqlite'
import { z } from 'zod'
import type { FinishedWindow, JobEvent, NumberedJobEvent } from '../job.ts'
import { windowText } from '../stored-window.ts'
import type { JobsFile } from './jobs-file.ts'
import { numberedEventOf } from './rows.ts'

const PAGE = `
  SELECT events.number, events.kind, events.content FROM events JOIN jobs ON jobs.sequence = events.job
  WHERE jobs.id = :id AND events.number > :after`

const HasEnded = z.object({ hasEnded: z.int() })

/** Some of a job's events in a row, and whether these are the last there will be. */
export interface EventPage {
  readonly events: readonly NumberedJobEvent[]
  readonly isLast: boolean
}

export class EventTable {
  readonly #append: StatementSync
  readonly #page: StatementSync
  readonly #windows: StatementSync
  readonly #lastWindows: StatementSync
  readonly #state: StatementSync

  constructor(file: JobsFile) {
    this.#append = file.prepare(`
      INSERT INTO events (job, number, kind, content)
      SELECT :job, coalesce(max(number), 0) + 1, :kind, :content FROM events WHERE job = :job`)
    this.#page = file.prepare(`${PAGE} ORDER BY events.number LIMIT :limit`)
    this.#windows = file.prepare(`${PAGE} AND events.kind = 'window' ORDER BY events.number LIMIT :limit`)
    this.#lastWindows = file.prepare(`
      ${PAGE} AND events.kind = 'window' ORDER BY events.number DESC LIMIT :limit`)
    this.#state = file.prepare('SELECT ended_at_ms IS NOT NULL AS hasEnded FROM jobs WHERE id = :id')
  }

  append(job: number, event: JobEvent): void {
    const content = event.kind === 'window' ? windowText(event.window) : JSON.stringify(event)
    this.#append.run({ job, kind: event.kind, content })
  }

  page(id: string, after: number, limit: number): EventPage {
    const events = this.#page.all({ id, after, limit }).map(numberedEventOf)
    return { events, isLast: events.length < limit && this.#isOver(id) }
  }

  windows(id: string, after: number, limit: number): { number: number; window: FinishedWindow }[] {
    return windowsIn(this.#windows.all({ id, after, limit }))
  }

  /** In order. */
  lastWindows(id: string, limit: number): FinishedWindow[] {
    const rows = this.#lastWindows.all({ id, after: 0, limit }).toReversed()
    return windowsIn(rows).map(({ window }) => window)
  }

  #isOver(id: string): boolean {
    const row = this.#state.get({ id })
    return row === undefined || HasEnded.parse(row).hasEnded === 1
  }
}

function windowsIn(rows: readonly unknown[]): { number: number; window: FinishedWindow }[] {
  return rows
    .map(numberedEventOf)
    .flatMap(({ number, event }) => (event.kind === 'window' ? { number, window: event.window } : []))
}
