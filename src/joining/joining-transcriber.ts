/**
 * The road for clients that ask again: the same recording with the same options joins the work that is running, or that
 * has just finished, instead of starting it again. What makes two recordings the same is said by their identity.
 */
import { Failure } from '../failure.ts'
import type { Log } from '../log.ts'
import type { AudioSource, TranscribeOptions, Transcriber } from '../transcriber.ts'
import type { Transcript, TranscriptEvent } from '../transcript.ts'
import { giveOwnName, type OwnName } from './own-name.ts'
import { SharedWork } from './shared-work.ts'
import { Shelf, type ShelfLimits } from './shelf.ts'
import { REAL_TIMERS, type Timers } from './timers.ts'

const KEPT_MS = 60_000
/** For clients that said that they would come back. */
const KEPT_FOR_ANNOUNCED_MS = 600_000
/** A million characters with all their words, tokens and probabilities took 51 MB. */
const SHELF_LIMITS: ShelfLimits = { things: 1000, characters: 1_000_000 }

export interface JoiningParts {
  /** What is joined. */
  readonly transcriber: Transcriber
  /** Where recordings are kept while they are worked on; on the file system of the uploads. */
  readonly directory: string
  readonly log: Log
  readonly timers?: Timers
  readonly shelfLimits?: ShelfLimits
}

/** Disposing gives up what still runs, and resolves when nothing is left of it. */
export interface JoiningTranscriber extends Transcriber, AsyncDisposable {
  /** Whether this owner has left work that lingers: then what it brings next may be the retry. */
  awaits(owner: string | undefined): boolean
}

export function createJoiningTranscriber(parts: JoiningParts): JoiningTranscriber {
  const works = new Works(parts)
  return {
    transcribe: (source, options, signal) =>
      source.identity === undefined || goesOnElsewhere(source)
        ? parts.transcriber.transcribe(source, options, signal)
        : works.transcribe(source, keyOf(source.identity, options), options, signal),
    detectLanguage: (source, signal) => parts.transcriber.detectLanguage(source, signal),
    awaits: (owner) => works.awaits(owner),
    [Symbol.asyncDispose]: () => works.end(),
  }
}

/** Its checkpoints are for whoever stores them: others' work has them of another beginning, or none. */
function goesOnElsewhere({ wantsCheckpoints, resumeFrom }: AudioSource): boolean {
  return wantsCheckpoints === true || resumeFrom !== undefined
}

/** Every option counts, in whatever order they stand: another option is another transcript, or another way to it. */
function keyOf(identity: string, options: TranscribeOptions): string {
  return JSON.stringify([identity, options], (_key, value: unknown) =>
    isRecord(value) ? Object.fromEntries(Object.entries(value).toSorted(byName)) : value,
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1
}

class Works {
  readonly #parts: JoiningParts
  readonly #timers: Timers
  readonly #shelf: Shelf
  /** Those that may be joined, and some that may not any more. */
  readonly #byKey = new Map<string, SharedWork>()
  readonly #running = new Map<SharedWork, AudioSource>()
  #cannotLink = false

  constructor(parts: JoiningParts) {
    this.#parts = parts
    this.#timers = parts.timers ?? REAL_TIMERS
    this.#shelf = new Shelf(parts.shelfLimits ?? SHELF_LIMITS, this.#timers)
  }

  async *transcribe(
    source: AudioSource,
    key: string,
    options: TranscribeOptions,
    signal: AbortSignal,
  ): AsyncGenerator<TranscriptEvent, void, undefined> {
    signal.throwIfAborted()
    const work = this.#join(source, key) ?? (await this.#begin(source, key, options))
    if (work === undefined) {
      yield* this.#parts.transcriber.transcribe(source, options, signal)
      return
    }
    try {
      yield* work.read(signal)
    } finally {
      await work.leave()
    }
  }

  async end(): Promise<void> {
    this.#shelf.clear()
    for (const work of this.#running.keys()) {
      work.giveUp(new Failure('shutting_down', 'The server is shutting down.'))
    }
    await Promise.all([...this.#running.keys()].map((work) => work.ended))
  }

  awaits(owner: string | undefined): boolean {
    return [...this.#running].some(([work, source]) => work.isLingering && source.owner === owner)
  }

  /** The work, entered; undefined when there is none to join. */
  #join(source: AudioSource, key: string): SharedWork | undefined {
    const work = this.#byKey.get(key)
    if (work?.state !== 'running' && work?.state !== 'finished') return undefined
    source.onJoined?.(work.state)
    work.enter()
    return work
  }

  /** New work, entered, or what another request has begun meanwhile; undefined when the file cannot be shared. */
  async #begin(
    source: AudioSource,
    key: string,
    options: TranscribeOptions,
  ): Promise<SharedWork | undefined> {
    const file = await this.#ownFile(source)
    if (file === undefined) return undefined
    const other = this.#join(source, key)
    if (other !== undefined) {
      await file[Symbol.asyncDispose]()
      return other
    }
    const work = this.#start(file, source, key, options)
    work.enter()
    return work
  }

  /** The client's own file goes when the client does; the work may go on for others, and may not have opened it yet. */
  async #ownFile(source: AudioSource): Promise<OwnName | undefined> {
    try {
      return await giveOwnName(source.path, this.#parts.directory)
    } catch (error) {
      if (!this.#cannotLink) {
        this.#parts.log.warn('an upload got no second name, so its retries cannot join it', { error })
      }
      this.#cannotLink = true // the file system will not change: once is enough
      return undefined
    }
  }

  #start(file: OwnName, source: AudioSource, key: string, options: TranscribeOptions): SharedWork {
    const { transcriber, log } = this.#parts
    const isAskedAgain = source.isAskedAgain ?? false
    const work = new SharedWork({
      perform: (signal) =>
        whileNamed(file, (path) => transcriber.transcribe({ ...source, path }, options, signal)),
      isAskedAgain,
      timers: this.#timers,
      log,
    })
    this.#byKey.set(key, work)
    this.#running.set(work, source)
    void work.ended.then(() => this.#shelve(work, key, isAskedAgain)) // never rejects
    return work
  }

  /** A failure is not kept: a retry tries again. */
  #shelve(work: SharedWork, key: string, isAskedAgain: boolean): void {
    this.#running.delete(work)
    const forget = () => {
      if (this.#byKey.get(key) === work) this.#byKey.delete(key)
    }
    if (work.transcript === undefined) forget()
    else {
      const ms = isAskedAgain ? KEPT_FOR_ANNOUNCED_MS : KEPT_MS
      this.#shelf.keep({ characters: charactersOf(work.transcript), ms, forget })
    }
  }
}

/** What guards removed is kept as well, and may be more than what they left. */
function charactersOf({ text, dropped }: Transcript): number {
  return dropped.reduce((sum, judged) => sum + judged.text.length, text.length)
}

async function* whileNamed(
  file: OwnName,
  perform: (path: string) => AsyncIterable<TranscriptEvent>,
): AsyncGenerator<TranscriptEvent, void, undefined> {
  await using _name = file
  yield* perform(file.path)
}
