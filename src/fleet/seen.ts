/**
 * Who works, as a server sees it that reads what the workers tell. That somebody lives is seen by its telling something
 * new, by the reader's own clock: no two machines agree on the time.
 */
import type { EngineFacts, EngineState } from '../engine/state.ts'
import { BlobMissing, type Blobs } from '../jobs/blobs.ts'
import type { Log } from '../log.ts'
import { BEGINNING, idOf, type Load, pause, type Self, Word, wordOf } from './word.ts'

/** Of what a worker tells, two words may be lost, or late. */
const MISSED_WORDS = 3.5
/** Then what it left is removed. */
const GONE_MS = 600_000

/** One of those that work. */
export interface Member {
  readonly id: string
  readonly name: string
  /** Of its engine: one of EngineState's, or that of another version. */
  readonly phase: string
  /** When its engine is ready. */
  readonly facts?: EngineFacts
  /** What its engine is doing, or why it cannot work. */
  readonly message?: string
  /** It has been told to stop. */
  readonly isEnding: boolean
  /** Absent: it is of a version that does not tell. */
  readonly load?: Load
  /** It should have told something by now. */
  readonly isGone: boolean
  /** Since it has been known here. */
  readonly knownMs: number
  /** Since it told something new. */
  readonly silentMs: number
}

interface Seen {
  readonly word: Word
  readonly firstAtMs: number
  /** When it was new. */
  readonly atMs: number
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

  /** In the order in which they were first heard of. Who is gone and has been started again is no longer missed. */
  members(): readonly Member[] {
    const all = this.#all()
    return all.filter((one) => !(one.isGone && all.some((other) => isSuccessor(other, one))))
  }

  #all(): Member[] {
    const nowMs = this.#parts.nowMs()
    return [...this.#seen].map(([key, { word, firstAtMs, atMs }]) => {
      const { beat: _beat, everyMs, ...told } = word
      const id = idOf(key)
      const silentMs = nowMs - atMs
      return {
        ...told,
        id,
        name: word.name ?? id,
        isGone: silentMs >= everyMs * MISSED_WORDS,
        knownMs: nowMs - firstAtMs,
        silentMs,
      }
    })
  }

  /** The engine of one that is ready, or that there is none. */
  state(): EngineState {
    const living = this.members().filter(({ isGone }) => !isGone)
    const facts = living.filter(({ isEnding }) => !isEnding).find((one) => one.facts !== undefined)?.facts
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
        const atMs = nowMs()
        this.#seen.set(key, { word, firstAtMs: known?.firstAtMs ?? atMs, atMs })
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

/** Two on one machine may have the same name: who was there before the other fell silent has not replaced it. */
function isSuccessor(other: Member, gone: Member): boolean {
  return !other.isGone && other.name === gone.name && other.knownMs < gone.silentMs
}

/** A server looks at itself: nothing is late. */
export function ownMember(self: Self, knownMs: number): Member {
  return { ...wordOf(self), id: self.id, name: self.name, isGone: false, knownMs, silentMs: 0 }
}

export type WatchedWorkers = Pick<WorkersSeen, 'state' | 'members'> & AsyncDisposable

/** Looks again and again until it is disposed of. */
export function watchWorkers(parts: WorkersSeenParts & { readonly everyMs: number }): WatchedWorkers {
  const seen = new WorkersSeen(parts)
  const over = new AbortController()
  const { signal } = over
  const looking = (async () => {
    while (!signal.aborted) {
      await seen
        .look()
        .catch((error: unknown) => parts.log.warn('the workers could not be looked at', { error }))
      await pause(parts.everyMs, signal)
    }
  })()
  return {
    state: () => seen.state(),
    members: () => seen.members(),
    [Symbol.asyncDispose]: async () => {
      over.abort()
      await looking
    },
  }
}
