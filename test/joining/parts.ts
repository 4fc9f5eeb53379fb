// A road that says what the test wants when it wants, a clock that only the test moves, and uploads in real directories.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createJoiningTranscriber, type JoiningParts } from '../../src/joining/joining-transcriber.ts'
import type { Timers } from '../../src/joining/timers.ts'
import { createLog } from '../../src/log.ts'
import type { AudioSource, TranscribeOptions, Transcriber } from '../../src/transcriber.ts'
import type { TranscriptEvent } from '../../src/transcript.ts'
import { until } from '../../src/until.ts'
import { transcriptOf } from '../formats/transcripts.ts'
import { OPTIONS } from '../road.ts'

export const DONE: TranscriptEvent = { kind: 'done', transcript: transcriptOf([' Toget kører.']) }

export function progress(processedSeconds: number): TranscriptEvent {
  return { kind: 'progress', processedSeconds, durationSeconds: 9 }
}

export class FakeTimers implements Timers {
  #now = 0
  readonly #waiting = new Set<{ readonly atMs: number; readonly act: () => void }>()

  nowMs(): number {
    return this.#now
  }

  after(ms: number, act: () => void): Disposable {
    const alarm = { atMs: this.#now + ms, act }
    this.#waiting.add(alarm)
    return { [Symbol.dispose]: () => this.#waiting.delete(alarm) }
  }

  /** How many alarms are set. */
  get set(): number {
    return this.#waiting.size
  }

  pass(ms: number): void {
    this.#now += ms
    const due = [...this.#waiting].filter(({ atMs }) => atMs <= this.#now).toSorted((a, b) => a.atMs - b.atMs)
    for (const alarm of due) {
      this.#waiting.delete(alarm)
      alarm.act()
    }
  }
}

/** One transcription, as far as the test lets it come. */
export class Performance {
  readonly over = Promise.withResolvers<void>()
  readonly options: TranscribeOptions
  readonly signal: AbortSignal
  readonly source: AudioSource
  readonly #script: (TranscriptEvent | Error)[] = []
  #more = Promise.withResolvers<void>()

  constructor(source: AudioSource, options: TranscribeOptions, signal: AbortSignal) {
    this.source = source
    this.options = options
    this.signal = signal
  }

  say(...script: (TranscriptEvent | Error)[]): void {
    this.#script.push(...script)
    this.#more.resolve()
  }

  finish(texts: readonly string[] = [' Toget kører.']): void {
    this.say({ kind: 'done', transcript: transcriptOf(texts) })
  }

  async *play(): AsyncGenerator<TranscriptEvent> {
    try {
      for (;;) {
        this.signal.throwIfAborted()
        const next = this.#script.shift()
        if (next instanceof Error) throw next
        if (next?.kind === 'done') return yield next
        if (next !== undefined) yield next
        else await until(this.#more.promise, this.signal).then(() => (this.#more = Promise.withResolvers()))
      }
    } finally {
      this.over.resolve()
    }
  }
}

class ControlledRoad implements Transcriber {
  readonly begun: Performance[] = []
  #another = Promise.withResolvers<void>()

  async *transcribe(source: AudioSource, options: TranscribeOptions, signal: AbortSignal) {
    const performance = new Performance(source, options, signal)
    this.begun.push(performance)
    this.#another.resolve()
    this.#another = Promise.withResolvers()
    yield* performance.play()
  }

  /** The n-th work, from 1, once it has begun. */
  async work(n: number): Promise<Performance> {
    for (;;) {
      const performance = this.begun[n - 1]
      if (performance !== undefined) return performance
      await this.#another.promise
    }
  }

  async detectLanguage() {
    return { language: 'da', probability: 1, languages: [] }
  }
}

/** A client: its upload, what it asks, and when it leaves. */
export interface Client {
  readonly leave: () => void
  /** Deletes the client's upload when it has ended, as a request does. */
  readonly answer: Promise<readonly TranscriptEvent[]>
  readonly joined: () => string | undefined
  /** Resolves when it has joined what is there. */
  readonly hasJoined: Promise<void>
}

export type StartedParts = Awaited<ReturnType<typeof startParts>>

/** Ended when the test is. */
export async function startParts(changes: Partial<JoiningParts> = {}) {
  const spool = await mkdtemp(join(tmpdir(), 'hviske-joining-'))
  const road = new ControlledRoad()
  const timers = new FakeTimers()
  const logged: Record<string, unknown>[] = []
  const log = createLog('info', (line) => logged.push(JSON.parse(line) as Record<string, unknown>))
  const transcriber = createJoiningTranscriber({
    transcriber: road,
    directory: spool,
    log,
    timers,
    ...changes,
  })
  onTestFinished(async () => {
    await transcriber[Symbol.asyncDispose]()
    await rm(spool, { recursive: true, force: true })
  })
  let uploads = 0

  const ask = (
    source: Partial<AudioSource> = { identity: 'a' },
    options: Partial<TranscribeOptions> = {},
  ): Client => {
    const hangUp = new AbortController()
    let joined: string | undefined
    const hasJoined = Promise.withResolvers<void>()
    const onJoined = (state: string) => {
      joined = state
      hasJoined.resolve()
    }
    const answer = async () => {
      const directory = join(spool, `upload-${uploads++}`)
      await mkdir(directory)
      const path = join(directory, 'upload')
      await writeFile(path, 'sound')
      try {
        const asked = { path, onJoined, ...source }
        return await Array.fromAsync(transcriber.transcribe(asked, { ...OPTIONS, ...options }, hangUp.signal))
      } finally {
        await rm(directory, { recursive: true })
      }
    }
    return {
      answer: answer(),
      leave: () => hangUp.abort(new Error('hung up')),
      joined: () => joined,
      hasJoined: hasJoined.promise,
    }
  }

  return {
    ask,
    directory: spool,
    road,
    timers,
    transcriber,
    logged,
    leftovers: () => readdir(spool),
    soundOf: ({ source }: Performance) => readFile(source.path, 'utf8'),
  }
}
