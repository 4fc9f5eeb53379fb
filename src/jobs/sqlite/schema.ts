/** The tables of the jobs' file, and how a file of an earlier version becomes one of this. It does not know what a row means. */

/**
 * One step for each version; a step that has been released is never changed. What is asked for by its value is a column, everything
 * else is JSON. `line` is the place among the pending jobs: as they were handed in, below zero for those that were let go.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE holders (
    id TEXT NOT NULL PRIMARY KEY,
    boot_id TEXT NOT NULL,
    pid_namespace TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started TEXT NOT NULL,
    renewed_at_ms REAL NOT NULL,
    holds_for_ms REAL NOT NULL
  ) STRICT;

  CREATE TABLE jobs (
    sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT,
    lane TEXT NOT NULL,
    idempotency_key TEXT,
    created_at_ms INTEGER NOT NULL,
    content TEXT NOT NULL,
    state TEXT NOT NULL,
    line INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    barren_attempts INTEGER NOT NULL DEFAULT 0,
    started_at_ms INTEGER,
    ended_at_ms INTEGER,
    processed_seconds REAL,
    duration_seconds REAL,
    failure TEXT,
    result_key TEXT,
    holder TEXT REFERENCES holders (id),
    token INTEGER NOT NULL DEFAULT 0
  ) STRICT;

  CREATE UNIQUE INDEX jobs_by_idempotency_key ON jobs (idempotency_key, coalesce(owner, ''), owner IS NULL)
    WHERE idempotency_key IS NOT NULL;
  CREATE INDEX jobs_by_age ON jobs (created_at_ms, id);
  CREATE INDEX jobs_by_owner ON jobs (owner, created_at_ms, id);
  CREATE INDEX jobs_in_line ON jobs (state, lane, owner, line);
  CREATE INDEX jobs_by_end ON jobs (ended_at_ms) WHERE ended_at_ms IS NOT NULL;
  CREATE INDEX jobs_by_holder ON jobs (holder) WHERE holder IS NOT NULL;

  CREATE TABLE events (
    job INTEGER NOT NULL REFERENCES jobs (sequence) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    content TEXT NOT NULL,
    UNIQUE (job, number)
  ) STRICT;
  `,
]
