/** The rows of the jobs: every statement that reads or changes them. When they change is decided elsewhere, in a transaction. */
import type { StatementSync } from 'node:sqlite'
import { z } from 'zod'
import type { FinishedWindow, JobFailure, JobOrder, JobState, Lane } from '../job.ts'
import type { JobCounts, JobFilter } from '../job-queue.ts'
import type { JobsFile } from './jobs-file.ts'
import { countsOf, type KeptJob, keptJobOf } from './rows.ts'

/** Which lease of which job: what it writes is written only while this is the lease that the job is in. */
export interface LeaseMark {
  readonly id: string
  readonly token: number
}

const HELD = "WHERE id = :id AND token = :token AND state = 'processing'"

/**
 * Those that were let go first, the last of them before the others. Then the owner who has the fewest in work, in any lane, then
 * the oldest. The inner query gives each owner's first job: SQLite takes `sequence` from the row of the minimum
 * (https://www.sqlite.org/lang_select.html#bareagg), so it is as quick with one owner as with a thousand.
 */
const NEXT = `
  SELECT sequence FROM (
    SELECT sequence, owner, min(line) AS line FROM jobs WHERE state = 'pending' AND lane = :lane GROUP BY owner
  ) AS first
  ORDER BY
    min(line, 0),
    (SELECT count(*) FROM jobs AS busy WHERE busy.state = 'processing' AND busy.owner IS first.owner),
    line
  LIMIT 1`

const LIST = `
  SELECT jobs.* FROM jobs
  WHERE (:owner IS NULL OR owner = :owner)
    AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:before IS NULL OR (created_at_ms, id) < (SELECT created_at_ms, id FROM jobs WHERE id = :before))
  ORDER BY created_at_ms DESC, id DESC
  LIMIT :limit`

const PLACE = `
  SELECT count(*) AS number FROM jobs
  WHERE state = 'pending' AND lane = :lane AND line < (SELECT line FROM jobs WHERE sequence = :sequence)`

const statements = {
  insert: `
    INSERT INTO jobs (id, owner, lane, idempotency_key, created_at_ms, content, state, line)
    VALUES (:id, :owner, :lane, :idempotencyKey, :createdAtMs, :content, 'pending', 0)`,
  enterLine: 'UPDATE jobs SET line = sequence WHERE sequence = :sequence RETURNING *',
  byId: 'SELECT * FROM jobs WHERE id = :id',
  byKey: 'SELECT * FROM jobs WHERE idempotency_key = :key AND owner IS :owner',
  list: LIST,
  // The same, but with an index that SQLite does not choose when the owner may be absent.
  listOfOwner: LIST.replace('(:owner IS NULL OR owner = :owner)', 'owner = :owner'),
  place: PLACE,
  counts: 'SELECT lane, state, count(*) AS jobs FROM jobs GROUP BY state, lane',
  endedBefore: 'SELECT * FROM jobs WHERE ended_at_ms < :atMs ORDER BY ended_at_ms, sequence LIMIT :limit',
  next: NEXT,
  begin: `
    UPDATE jobs SET state = 'processing', holder = :holder, token = token + 1, attempts = attempts + 1,
      barren_attempts = barren_attempts + 1, started_at_ms = coalesce(started_at_ms, :nowMs)
    WHERE sequence = :sequence RETURNING *`,
  lengthIs: `UPDATE jobs SET duration_seconds = :durationSeconds ${HELD} RETURNING *`,
  finishedWindow: `
    UPDATE jobs SET processed_seconds = :processedSeconds, duration_seconds = :durationSeconds, barren_attempts = 0
    ${HELD} RETURNING *`,
  end: `
    UPDATE jobs SET state = :state, holder = NULL, ended_at_ms = :nowMs, failure = :failure, result_key = :resultKey
    WHERE sequence = :sequence RETURNING *`,
  held: `SELECT * FROM jobs ${HELD}`,
  heldBy: "SELECT * FROM jobs WHERE holder = :holder AND state = 'processing'",
  /** Its place in line is what it was: before all that were handed in later. */
  returned: "UPDATE jobs SET state = 'pending', holder = NULL WHERE sequence = :sequence",
  letGo: `
    UPDATE jobs SET state = 'pending', holder = NULL, attempts = attempts - 1,
      barren_attempts = max(barren_attempts - 1, 0),
      line = (
        SELECT min(0, coalesce(min(line), 0)) - 1 FROM jobs AS others
        WHERE others.state = 'pending' AND others.lane = jobs.lane
      )
    WHERE sequence = :sequence`,
  tryAgain: `
    UPDATE jobs SET state = 'pending', line = sequence, barren_attempts = 0, ended_at_ms = NULL, failure = NULL, result_key = NULL
    WHERE id = :id AND state IN ('failed', 'cancelled') RETURNING *`,
  remove: 'DELETE FROM jobs WHERE id = :id',
} as const

const Sequence = z.object({ sequence: z.int() })
const Count = z.object({ number: z.int() })

export class JobTable {
  readonly #run: Readonly<Record<keyof typeof statements, StatementSync>>

  constructor(file: JobsFile) {
    const prepared = Object.entries(statements).map(([name, sql]) => [name, file.prepare(sql)])
    this.#run = Object.fromEntries(prepared)
  }

  insert(order: JobOrder): KeptJob {
    const { lastInsertRowid } = this.#run.insert.run({
      id: order.id,
      owner: order.owner ?? null,
      lane: order.lane,
      idempotencyKey: order.idempotencyKey ?? null,
      createdAtMs: order.createdAtMs,
      content: JSON.stringify(order),
    })
    return keptJobOf(this.#run.enterLine.get({ sequence: lastInsertRowid }))
  }

  byId(id: string): KeptJob | undefined {
    return found(this.#run.byId.get({ id }))
  }

  byKey(owner: string | undefined, key: string): KeptJob | undefined {
    return found(this.#run.byKey.get({ owner: owner ?? null, key }))
  }

  list({ owner, states, before, limit }: JobFilter): KeptJob[] {
    const list = owner === undefined ? this.#run.list : this.#run.listOfOwner
    const filter = {
      owner: owner ?? null,
      states: states ? JSON.stringify(states) : null,
      before: before ?? null,
      limit,
    }
    return list.all(filter).map(keptJobOf)
  }

  placeOf({ sequence, job }: KeptJob): number {
    return Count.parse(this.#run.place.get({ sequence, lane: job.order.lane })).number
  }

  counts(): JobCounts {
    return countsOf(this.#run.counts.all())
  }

  endedBefore(atMs: number, limit: number): KeptJob[] {
    return this.#run.endedBefore.all({ atMs, limit }).map(keptJobOf)
  }

  /** The job that is to be handed out next. */
  next(lane: Lane): number | undefined {
    const row = this.#run.next.get({ lane })
    return row && Sequence.parse(row).sequence
  }

  begin(sequence: number, holder: string, nowMs: number): KeptJob {
    return keptJobOf(this.#run.begin.get({ sequence, holder, nowMs }))
  }

  /** Undefined, here and below: the lease is not held any more. */
  held(mark: LeaseMark): KeptJob | undefined {
    return found(this.#run.held.get({ ...mark }))
  }

  heldBy(holder: string): KeptJob[] {
    return this.#run.heldBy.all({ holder }).map(keptJobOf)
  }

  lengthIs(mark: LeaseMark, durationSeconds: number): KeptJob | undefined {
    return found(this.#run.lengthIs.get({ ...mark, durationSeconds }))
  }

  finishedWindow(mark: LeaseMark, window: FinishedWindow): KeptJob | undefined {
    const { processedSeconds, durationSeconds } = window
    return found(this.#run.finishedWindow.get({ ...mark, processedSeconds, durationSeconds }))
  }

  end(sequence: number, end: JobEnd, nowMs: number): KeptJob {
    const failure = end.failure ? JSON.stringify(end.failure) : null
    const { state, resultKey = null } = end
    return keptJobOf(this.#run.end.get({ sequence, nowMs, state, failure, resultKey }))
  }

  returned(sequence: number): void {
    this.#run.returned.run({ sequence })
  }

  letGo(sequence: number): void {
    this.#run.letGo.run({ sequence })
  }

  /** Undefined: there is none, or it can not be tried again. */
  tryAgain(id: string): KeptJob | undefined {
    return found(this.#run.tryAgain.get({ id }))
  }

  remove(id: string): boolean {
    return this.#run.remove.run({ id }).changes > 0
  }
}

export interface JobEnd {
  readonly state: JobState
  readonly failure?: JobFailure
  readonly resultKey?: string
}

function found(row: unknown): KeptJob | undefined {
  return row === undefined ? undefined : keptJobOf(row)
}
