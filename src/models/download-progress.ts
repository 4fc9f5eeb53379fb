/** How a download is told: one line that changes on a terminal, now and then a line elsewhere. It decides rate and time left, and writes nothing. */
import type { ModelEvent } from './python-half.ts'

type DownloadEvent = Extract<ModelEvent, { kind: 'plan' | 'moved' | 'checking' | 'finished' | 'waiting' }>

/** Long enough not to jump, short enough to notice that a neighbour has begun to watch television. */
const RATE_OVER_MS = 10_000
const PLAIN_LINE_EVERY_MS = 10_000
const ERASE_LINE = '\r\u001b[K'

export class DownloadProgress {
  /** Undefined: no terminal. */
  readonly #columns: number | undefined
  readonly #nowMs: () => number
  readonly #done = new Map<string, number>()
  readonly #sizes = new Map<string, number>()
  #samples: { atMs: number; bytes: number }[] = []
  #saidAtMs = Number.NEGATIVE_INFINITY

  constructor(columns: number | undefined, nowMs: () => number) {
    this.#columns = columns
    this.#nowMs = nowMs
  }

  /** What is to be written now; empty when nothing is. */
  hear(event: DownloadEvent): string {
    switch (event.kind) {
      case 'plan':
        return this.#begin(event)
      case 'moved':
        this.#done.set(event.name, event.done)
        return this.#move(event.name)
      case 'checking':
        return this.#passing(`checking ${event.name}`)
      case 'finished':
        return this.#finish(event.name)
      case 'waiting':
        return this.#lasting(
          event.seconds > 0
            ? `${event.reason}; on it again in ${event.seconds} s`
            : `${event.reason}; on it again`,
        )
      default:
        return event satisfies never
    }
  }

  #begin({ model, commit, directory, files }: Extract<DownloadEvent, { kind: 'plan' }>): string {
    for (const { name, bytes, have } of files) {
      this.#sizes.set(name, bytes)
      this.#done.set(name, have)
    }
    const missing = this.#total - this.#sum
    const here = missing === 0 ? 'all of it here, to be checked' : `${asBytes(missing)} to fetch`
    return this.#lasting(
      `${model} at ${commit}\n${files.length} files, ${asBytes(this.#total)}, ${here}\ninto ${directory}`,
    )
  }

  #move(name: string): string {
    const atMs = this.#nowMs()
    const last = this.#samples.at(-1)
    // What arrived damaged is thrown away.
    if (last !== undefined && last.bytes > this.#sum) this.#samples = []
    this.#samples.push({ atMs, bytes: this.#sum })
    while (this.#samples.length > 2 && atMs - (this.#samples[0]?.atMs ?? atMs) > RATE_OVER_MS)
      this.#samples.shift()
    if (this.#columns !== undefined) return this.#passing(this.#line(name))
    if (this.#saidAtMs === Number.NEGATIVE_INFINITY) this.#saidAtMs = atMs
    if (atMs - this.#saidAtMs < PLAIN_LINE_EVERY_MS) return ''
    this.#saidAtMs = atMs
    return `${this.#line(name)}\n`
  }

  #finish(name: string): string {
    const bytes = this.#sizes.get(name) ?? 0
    this.#done.set(name, bytes)
    return this.#lasting(`${name} ${asBytes(bytes)}, whole`)
  }

  /** What is too long for its line would stay on the terminal. */
  #passing(text: string): string {
    return this.#columns === undefined ? '' : `${ERASE_LINE}${text.slice(0, this.#columns - 1)}`
  }

  #lasting(text: string): string {
    return `${this.#columns === undefined ? '' : ERASE_LINE}${text}\n`
  }

  #line(name: string): string {
    const done = this.#done.get(name) ?? 0
    const size = this.#sizes.get(name) ?? done
    const parts = [`${percent(this.#sum, this.#total)}, ${asBytes(this.#sum)} of ${asBytes(this.#total)}`]
    const rate = this.#bytesPerSecond
    if (rate > 0) parts.push(`${asBytes(rate)}/s`, `${asTime((this.#total - this.#sum) / rate)} left`)
    return [...parts, `${name} ${percent(done, size)}`].join(', ')
  }

  get #bytesPerSecond(): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)]
    if (first === undefined || last === undefined || last.atMs === first.atMs) return 0
    return ((last.bytes - first.bytes) * 1000) / (last.atMs - first.atMs)
  }

  get #sum(): number {
    return sumOf(this.#done.values())
  }

  get #total(): number {
    return sumOf(this.#sizes.values())
  }
}

const sumOf = (numbers: Iterable<number>) => [...numbers].reduce((sum, one) => sum + one, 0)

/** Never 100 before the end. */
const percent = (done: number, of: number) => `${of === 0 ? 100 : Math.floor((100 * done) / of)} %`

export function asBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`
  return bytes >= 1e3 ? `${(bytes / 1e3).toFixed(1)} kB` : `${Math.round(bytes)} bytes`
}

export function asTime(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  const minutes = Math.ceil(whole / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
