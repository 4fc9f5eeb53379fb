/**
 * Sends spans to a collector, some at a time. A collector that is slow or gone costs spans, never a request; what is in the
 * spans is not its business.
 */
import type { Log } from '../log.ts'
import { otlpBody, type Service } from './otlp.ts'
import type { Span } from './request-trace.ts'

const GATHER_MS = 1000
const MOST_WAITING = 2048
const PATIENCE_MS = 5000
/** At the end, for the last ones. */
const FAREWELL_MS = 2000

interface CollectorParts {
  /** As in OTEL_EXPORTER_OTLP_ENDPOINT: without `/v1/traces`. */
  readonly endpoint: string
  readonly service: Service
  readonly log: Log
  readonly gatherMs?: number
}

export class Collector implements AsyncDisposable {
  readonly #url: string
  readonly #parts: CollectorParts
  readonly #over = new AbortController()
  #waiting: Span[] = []
  #timer: NodeJS.Timeout | undefined
  #sending: Promise<void> | undefined
  #isFailing = false

  constructor(parts: CollectorParts) {
    this.#parts = parts
    this.#url = `${parts.endpoint.replace(/\/+$/, '')}/v1/traces`
  }

  /** Some later. Of too many, the ones that come last are dropped. */
  send(spans: readonly Span[]): void {
    if (this.#waiting.length + spans.length > MOST_WAITING) return
    this.#waiting.push(...spans)
    this.#timer ??= setTimeout(() => void this.#flush(), this.#parts.gatherMs ?? GATHER_MS).unref()
  }

  /** Sends what is still there, for as long as that is reasonable. */
  async [Symbol.asyncDispose](): Promise<void> {
    const tooLate = setTimeout(() => this.#over.abort(), FAREWELL_MS)
    await this.#flush()
    await this.#flush() // what came while the one before was on its way
    clearTimeout(tooLate)
    clearTimeout(this.#timer)
  }

  /** One at a time. Never rejects. */
  async #flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.#sending
    if (this.#waiting.length === 0) return
    const spans = this.#waiting
    this.#waiting = []
    this.#sending = this.#post(spans)
    await this.#sending
  }

  /** Never rejects. That it fails is said once, and again when it has worked in between. */
  async #post(spans: readonly Span[]): Promise<void> {
    const { service, log } = this.#parts
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: otlpBody(service, spans),
        signal: AbortSignal.any([this.#over.signal, AbortSignal.timeout(PATIENCE_MS)]),
      })
      await response.body?.cancel()
      if (!response.ok) throw new Error(`the collector answered ${response.status}`)
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing) log.warn('traces do not reach their collector', { url: this.#url, error })
      this.#isFailing = true
    }
  }
}
