/** Reads the server's log as it is written: what must not be in it, which children died, how requests ended that broke off. */
import type { Timeline } from './timeline.ts'
import type { Verdicts } from './verdicts.ts'

const KEPT_LINES = 60
/** Of requests whose answers may still be on their way to a client. */
const KEPT_ENDINGS = 5000

export interface LogWatchParts {
  readonly timeline: Timeline
  readonly verdicts: Pick<Verdicts, 'broken'>
  /** Keys, words of transcripts, names of files. */
  readonly secrets: readonly string[]
}

interface Entry {
  readonly message?: string
  readonly requestId?: string
  readonly code?: string
  readonly reason?: string
  readonly cause?: { readonly message?: string }
}

export class LogWatch {
  readonly #parts: LogWatchParts
  readonly #last: string[] = []
  readonly #codes = new Map<string, string>()
  #engineIsUp: (() => void) | undefined
  lines = 0
  engineDeaths = 0
  /** Why children died, and how often. */
  readonly deathReasons: Record<string, number> = {}

  constructor(parts: LogWatchParts) {
    this.#parts = parts
  }

  lastLines(): readonly string[] {
    return this.#last
  }

  /** The code in the log line of a request; undefined when it went well, or when its line has not come. */
  codeOf(requestId: string): string | undefined {
    return this.#codes.get(requestId)
  }

  read(line: string): void {
    this.lines++
    this.#last.push(line)
    if (this.#last.length > KEPT_LINES) this.#last.shift()
    const secret = this.#parts.secrets.find((word) => line.includes(word))
    if (secret !== undefined) this.#broken('the log tells a secret', `${secret}: ${line}`)
    if (!line.startsWith('{')) return this.#broken('the log holds a line that is no JSON', line)
    this.#understand(JSON.parse(line), line)
  }

  #understand(entry: Entry, line: string) {
    const { message = '', requestId, code } = entry
    if (message.startsWith('a bug:') || line.includes('UnhandledPromise'))
      this.#broken('a bug in the log', line)
    if (code === 'internal_error' || message.startsWith('letting go'))
      this.#broken('an error that was not foreseen is in the log', line)
    if (message.includes('crashed and will be restarted')) this.#engineDied(entry)
    if (message.startsWith('ready: ')) this.#engineIsUp?.()
    if (message === 'request' && requestId !== undefined && code !== undefined) this.#keep(requestId, code)
  }

  #engineDied(entry: Entry): void {
    const { timeline } = this.#parts
    const why = `${entry.reason ?? 'for no reason'}${entry.cause?.message ? `: ${entry.cause.message}` : ''}`
    const reason = why.replace(/\d+/g, 'n').slice(0, 160)
    this.deathReasons[reason] = (this.deathReasons[reason] ?? 0) + 1
    this.engineDeaths++
    timeline.happened('engineDied')
    this.engineIsDown()
  }

  /** Until the log says that the next one is ready. */
  engineIsDown(): void {
    this.#engineIsUp?.()
    this.#engineIsUp = this.#parts.timeline.begin('engineDown')
  }

  #keep(requestId: string, code: string): void {
    this.#codes.set(requestId, code)
    const [oldest] = this.#codes.keys()
    if (this.#codes.size > KEPT_ENDINGS && oldest !== undefined) this.#codes.delete(oldest)
  }

  #broken(invariant: string, evidence: string): void {
    this.#parts.verdicts.broken(invariant, evidence.slice(0, 2000))
  }
}
