/**
 * Workers tell of themselves in the store of blobs that all share, and a server without an engine reads it there. That
 * somebody lives is seen by its telling something new, by the reader's own clock: no two machines agree on the time.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { EngineFacts, EngineState } from './engine/state.ts'
import type { Log } from './log.ts'
import { BlobMissing, type Blobs } from './jobs/blobs.ts'

const BEGINNING = 'workers/'
const TELL_EVERY_MS = 10_000
/** A phase that has changed is told sooner. */
const LOOK_AT_PHASE_EVERY_MS = 500
const LOOK_EVERY_MS = 5_000
/** Two words may be lost, or late. */
const SILENT_MS = 35_000
/** Then what it left is removed. */
const GONE_MS = 600_000

const Facts: z.ZodType<EngineFacts> = z.object({
  modelId: z.string(),
  revision: z.string().nullable(),
  device: z.string(),
  deviceName: z.string(),
  computeType: z.string(),
  languages: z.array(z.string()),
  canTranslate: z.boolean(),
  vad: z.string(),
  slots: z.number(),
  repairs: z.array(z.string()),
  reasons: z.record(z.string(), z.string()),
  versions: z.record(z.string(), z.string()),
  readyAtUnixSeconds: z.number(),
})

/** Written by one version of this program and read by another. */
const Word = z.object({
  /** Counts what has been told. */
  beat: z.int(),
  phase: z.string(),
  /** When it is ready. */
  facts: Facts.exactOptional(),
})
type Word = z.output<typeof Word>

export interface TellingParts {
  readonly blobs: Pick<Blobs, 'put' | 'remove'>
  /** Lower-case letters, digits and dashes. */
  readonly id: string
  readonly state: () => EngineState
  readonly log: Log
}

/** Until it is disposed of; then nothing of it is left. */
export function tellOfWorker({ blobs, id, state, log }: TellingParts): AsyncDisposable {
  const over = new AbortController()
  const { signal } = over
  const key = `${BEGINNING}${id}.json`
  const tell = async (beat: number, told: EngineState) => {
    const word: Word = {
      beat,
      phase: told.phase,
      ...(told.phase === 'ready' && { facts: told.facts }),
    }
    await blobs
      .put(key, JSON.stringify(word), signal)
      .catch((error: unknown) => signal.aborted || log.warn('nobody could be told of this worker', { error }))
  }
  const telling = (async () => {
    for (let beat = 1; !signal.aborted; beat += 1) {
      const told = state()
      await tell(beat, told)
      const nextAtMs = performance.now() + TELL_EVERY_MS
      while (!signal.aborted && state().phase === told.phase && performance.now() < nextAtMs) {
        await pause(LOOK_AT_PHASE_EVERY_MS, signal)
      }
    }
  })()
  return {
    [Symbol.asyncDispose]: async () => {
      over.abort()
      await telling
      await blobs
        .remove(key)
        .catch((error: unknown) => log.warn('a worker that ends is still told of', { error }))
    },
  }
}

interface Seen {
  word: Word
  /** When it was new. */
  atMs: number
}

export interface WorkersSeenParts {
  readonly blobs: Pick<Blobs, 'list' | 'read' | 'remove'>
  readonly log: Log
  /** Never goes back. */
  readonly nowMs: () => number
}

export class WorkersSeen {
  readonly #parts: WorkersSeenParts
  readonly #seen = new Map<string, Seen>()

  constructor(parts: WorkersSeenParts) {
    this.#parts = parts
  }

  /** The engine of one that is ready, or that there is none. */
  state(): EngineState {
    const now = this.#parts.nowMs()
    const living = [...this.#seen.values()].filter(({ atMs }) => now - atMs < SILENT_MS)
    const facts = living.map(({ word }) => word.facts).find((told) => told !== undefined)
    if (facts !== undefined) return { phase: 'ready', facts }
    const message =
      living.length === 0
        ? 'No worker has been heard of lately: recordings wait for one.'
        : `None of ${living.length} workers is ready yet: recordings wait for one.`
    return { phase: 'elsewhere', message }
  }

  /** One look. @throws what the blobs throw */
  async look(): Promise<void> {
    const { blobs, nowMs } = this.#parts
    const there = new Set<string>()
    for await (const { key } of blobs.list(BEGINNING)) {
      there.add(key)
      const word = await this.#read(key)
      const known = this.#seen.get(key)
      if (word !== undefined && (known?.word.beat !== word.beat || known.word.phase !== word.phase)) {
        this.#seen.set(key, { word, atMs: nowMs() })
      } else if (known !== undefined && nowMs() - known.atMs > GONE_MS) await blobs.remove(key)
    }
    for (const key of this.#seen.keys()) if (!there.has(key)) this.#seen.delete(key)
  }

  /** Undefined: it has just gone, or is not to be read. */
  async #read(key: string): Promise<Word | undefined> {
    try {
      const parts = await Array.fromAsync(this.#parts.blobs.read(key))
      return Word.parse(JSON.parse(Buffer.concat(parts).toString()))
    } catch (error) {
      if (!(error instanceof BlobMissing)) this.#parts.log.warn('a worker is not understood', { key, error })
      return undefined
    }
  }
}

/** Looks again and again until it is disposed of. */
export function watchWorkers(parts: WorkersSeenParts): Pick<WorkersSeen, 'state'> & AsyncDisposable {
  const seen = new WorkersSeen(parts)
  const over = new AbortController()
  const { signal } = over
  const looking = (async () => {
    while (!signal.aborted) {
      await seen
        .look()
        .catch((error: unknown) => parts.log.warn('the workers could not be looked at', { error }))
      await pause(LOOK_EVERY_MS, signal)
    }
  })()
  return {
    state: () => seen.state(),
    [Symbol.asyncDispose]: async () => {
      over.abort()
      await looking
    },
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => {})
}
