/** Which trace a request belongs to: the one that its `traceparent` names (W3C Trace Context), or one of its own. */
import { randomBytes } from 'node:crypto'

export interface TraceContext {
  readonly traceId: string
  /** The caller's span. Absent: the trace begins here. */
  readonly parentId?: string
  /** The caller may have decided that this one is not kept. */
  readonly isSampled: boolean
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const SAMPLED = 1

/** What is no traceparent counts as none, as the standard has it. Later versions may append more. */
export function traceContext(traceparent: string | undefined): TraceContext {
  const [, version, traceId = '', parentId = '', flags = '', more] = TRACEPARENT.exec(traceparent ?? '') ?? []
  const isKnown = version !== undefined && version !== 'ff' && (version !== '00' || more === undefined)
  if (!isKnown || /^0+$/.test(traceId) || /^0+$/.test(parentId)) {
    return { traceId: randomBytes(16).toString('hex'), isSampled: true }
  }
  return { traceId, parentId, isSampled: (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED }
}

export function newSpanId(): string {
  return randomBytes(8).toString('hex')
}
