/** Spans as OTLP's JSON: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding. It does not know who sends it. */
import type { Attributes, Span } from './request-trace.ts'

/** SPAN_KIND_INTERNAL and SPAN_KIND_SERVER. */
const KINDS = { internal: 1, server: 2 } as const
const STATUS_ERROR = 2

export interface Service {
  readonly name: string
  readonly version: string
}

export function otlpBody({ name, version }: Service, spans: readonly Span[]): string {
  const resource = { attributes: keyValues({ 'service.name': name, 'service.version': version }) }
  const scopeSpans = [{ scope: { name: 'hviske-api', version }, spans: spans.map(otlpSpan) }]
  return JSON.stringify({ resourceSpans: [{ resource, scopeSpans }] })
}

function otlpSpan({ traceId, spanId, parentId, name, kind, startMs, endMs, attributes, hasFailed }: Span) {
  return {
    traceId,
    spanId,
    ...(parentId !== undefined && { parentSpanId: parentId }),
    name,
    kind: KINDS[kind],
    startTimeUnixNano: nanoseconds(startMs),
    endTimeUnixNano: nanoseconds(endMs),
    attributes: keyValues(attributes),
    ...(hasFailed && { status: { code: STATUS_ERROR } }),
  }
}

/** 64 bits, and so a string; microseconds are as exact as our clock is. */
function nanoseconds(ms: number): string {
  return `${BigInt(Math.round(ms * 1000)) * 1000n}`
}

function keyValues(attributes: Attributes) {
  return Object.entries(attributes).map(([key, value]) => ({
    key,
    value:
      typeof value === 'string'
        ? { stringValue: value }
        : Number.isInteger(value)
          ? { intValue: String(value) }
          : { doubleValue: value },
  }))
}
