/** Stands in for an OpenTelemetry collector: takes traces over OTLP/HTTP and keeps them. */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

interface OtlpSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[]
  readonly status?: { readonly code: number }
}
interface Traces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: OtlpSpan['attributes'] }
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[]
  }[]
}

/** Numbers and strings alike, as they are read. */
export function attributesOf({ attributes }: Pick<OtlpSpan, 'attributes'>): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
}

export async function startCollector() {
  const requests: { method: string | undefined; url: string | undefined; traces: Traces; text: string }[] = []
  const answer = { status: 200 }
  const take = async (request: IncomingMessage) => {
    const text = Buffer.concat(await Array.fromAsync(request)).toString()
    requests.push({ method: request.method, url: request.url, traces: JSON.parse(text) as Traces, text })
  }
  const server = createServer((request, response) => {
    void take(request).then(() => response.writeHead(answer.status).end('{}'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer,
    resources: () =>
      requests.flatMap(({ traces }) => traces.resourceSpans.map(({ resource }) => attributesOf(resource))),
    spans: () =>
      requests.flatMap(({ traces }) =>
        traces.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
      ),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
