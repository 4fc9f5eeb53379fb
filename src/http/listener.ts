/**
 * Node's HTTP server in front of the app. What Node's parser refuses never reaches the app; here it is refused in the
 * app's own words, with a request id.
 */
import { randomUUID } from 'node:crypto'
import { type ServerOptions, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { getRequestListener, RequestError } from '@hono/node-server'
import { Failure } from '../failure.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { EndingServer } from './ending-server.ts'
import { SECURITY_HEADERS } from './security-headers.ts'
import { cutOffStalledReaders, STALL_MS } from './stalled-readers.ts'
import { envelope } from './told.ts'

type Fetch = Parameters<typeof getRequestListener>[0]

/** How Node treats connections: an upload may take hours, and Caddy keeps idle connections longer than Node does by default. */
export const CONNECTION_TIMES = {
  /** Of the whole request. Node's own five minutes cut slow uploads off; `upload/body.ts` looks whether they go on. */
  requestTimeout: 0,
  /** Said aloud, since `requestTimeout: 0` alone sets this to 0 as well: connections without a request would stay for ever. */
  headersTimeout: 60_000,
  /** Caddy keeps connections for two minutes; one that we close first fails somebody's upload with a 502. */
  keepAliveTimeout: 150_000,
  connectionsCheckingInterval: 10_000,
}

interface ListenerOptions extends ServerOptions {
  /** How long a client may leave its answer unread. */
  readonly stallMs?: number
  /** What is refused here, the app never hears of, and so does not count. */
  readonly metrics?: Pick<Metrics, 'requests' | 'failures'>
}

export function createHttpServer(
  fetch: Fetch,
  log: Log,
  { stallMs = STALL_MS, metrics, ...options }: ListenerOptions = {},
): EndingServer {
  const refuse = (cause: unknown) => {
    const refusal = { failure: failureOf(cause), requestId: randomUUID() }
    report(refusal, cause, log)
    const { code, status } = refusal.failure
    metrics?.requests.add(1, { route: 'none', method: 'other', status: String(status) })
    metrics?.failures.add(1, { code })
    return refusal
  }
  // A request without Host is answered below like any other that makes no sense; Node's own answer has no body.
  const listen = getRequestListener(fetch, { errorHandler: (cause) => asResponse(refuse(cause)) })
  const server = new EndingServer({ ...options, requireHostHeader: false }, (request, response) => {
    void listen(request, response) // its errors went to the handler
  })
  cutOffStalledReaders(server, stallMs)
  const answers = new WeakMap<Duplex, ServerResponse>()
  server.prependListener('request', (request, response) => answers.set(request.socket, response))
  server.on('clientError', (cause, socket) => {
    // In the middle of another answer a second one would be taken for a part of it.
    const isAnswering = answers.get(socket)?.headersSent === true && !answers.get(socket)?.writableFinished
    if (isAnswering || !socket.writable || reasonOf(cause) === 'ECONNRESET') socket.destroy()
    else socket.end(asBytes(refuse(cause)), () => socket.destroy())
  })
  return server
}

/** What a parser says of a stranger's bytes is no error of ours; the app takes care of its own, so the rest is a bug. */
function report({ failure, requestId }: Refusal, cause: unknown, log: Log): void {
  if (failure.status === 500) log.error('request failed', { requestId, error: cause })
  else log.info('a request that is no HTTP', { requestId, code: failure.code, reason: reasonOf(cause) })
}

function failureOf(cause: unknown): Failure {
  const reason = reasonOf(cause)
  const isOfParser = reason.startsWith('HPE_') || reason.startsWith('ERR_HTTP_')
  if (!isOfParser && !(cause instanceof RequestError)) {
    return new Failure('internal_error', 'Something went wrong on our side.', { cause })
  }
  switch (reason) {
    case 'HPE_HEADER_OVERFLOW':
      return new Failure('headers_too_large', 'The headers of the request are too large.', { cause })
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Failure('request_timeout', 'The headers of the request did not arrive in time.', { cause })
    default:
      return new Failure('malformed_request', 'The request is not HTTP as this server understands it.', {
        cause,
      })
  }
}

/** Node's code for what was wrong; for logs, since some messages quote the request. */
function reasonOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
}

interface Refusal {
  readonly failure: Failure
  readonly requestId: string
}

function asResponse({ failure, requestId }: Refusal): Response {
  const headers = { ...SECURITY_HEADERS, 'x-request-id': requestId }
  return Response.json(envelope(failure), { status: failure.status, headers })
}

function asBytes({ failure, requestId }: Refusal): string {
  const body = JSON.stringify(envelope(failure))
  const head = [
    `HTTP/1.1 ${failure.status} ${STATUS_CODES[failure.status]}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    ...Object.entries(SECURITY_HEADERS).map(([name, value]) => `${name}: ${value}`),
    'connection: close',
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}
