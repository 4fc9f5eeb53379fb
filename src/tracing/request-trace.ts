/** The trace of one request: the request itself, and the stages that it went through. It does not know where spans go. */
import { newSpanId, type TraceContext } from './trace-context.ts'

export type Attributes = Readonly<Record<string, string | number>>

export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentId?: string
  readonly name: string
  /** `server`: the request. */
  readonly kind: 'server' | 'internal'
  readonly startMs: number
  readonly endMs: number
  readonly attributes: Attributes
  readonly hasFailed: boolean
}

interface Ending {
  readonly name: string
  readonly attributes: Attributes
  readonly hasFailed: boolean
}

export class RequestTrace {
  readonly #context: TraceContext
  readonly #send: (spans: readonly Span[]) => void
  readonly #nowMs: () => number
  readonly #spanId = newSpanId()
  readonly #startMs: number
  readonly #stages: Span[] = []

  /** @param nowMs milliseconds since 1970. `send` is called once, with everything, when the request has ended. */
  constructor(context: TraceContext, send: (spans: readonly Span[]) => void, nowMs: () => number) {
    this.#context = context
    this.#send = send
    this.#nowMs = nowMs
    this.#startMs = nowMs()
  }

  get traceId(): string {
    return this.#context.traceId
  }

  /** A stage that has ended just now, after so many seconds. What ends after the request is not told any more. */
  stage(name: string, seconds: number, attributes: Attributes = {}): void {
    const endMs = this.#nowMs()
    const { traceId } = this.#context
    const ids = { traceId, spanId: newSpanId(), parentId: this.#spanId }
    const times = { startMs: endMs - seconds * 1000, endMs }
    this.#stages.push({ ...ids, ...times, name, kind: 'internal', attributes, hasFailed: false })
  }

  end(ending: Ending): void {
    if (!this.#context.isSampled) return
    const { traceId, parentId } = this.#context
    const ids = { traceId, spanId: this.#spanId, ...(parentId !== undefined && { parentId }) }
    const times = { startMs: this.#startMs, endMs: this.#nowMs() }
    this.#send([{ ...ids, ...times, kind: 'server', ...ending }, ...this.#stages])
  }
}
