/** One wide line in the log for each request, and its metrics, when its body has ended: facts about it, never its content. */
import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { FailureCode } from '../failure.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { HttpEnv } from './parts.ts'
import { speechLine } from './speech-facts.ts'

/** Containers and Prometheus ask every few seconds; that would bury the rest. */
export const ASKED_ALL_THE_TIME: ReadonlySet<string> = new Set([
  '/health',
  '/livez',
  '/readyz',
  '/startupz',
  '/metrics',
  '/lb-status',
])

/** Also tells the client how long it took until now, under OpenAI's header name. */
export function requestLog(log: Log, metrics: Metrics): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const startedMs = performance.now()
    const elapsedMs = () => performance.now() - startedMs
    c.set('speech', {})
    using inFlight = new DisposableStack()
    metrics.inFlight.add(1, {})
    inFlight.defer(() => metrics.inFlight.add(-1, {}))
    await next()
    const headersMs = elapsedMs()
    c.header('openai-processing-ms', String(Math.round(headersMs)))

    const bodyEnd = c.get('bodyEnd')
    if (bodyEnd === undefined) {
      const code = c.get('failureCode')
      measure(c, metrics, headersMs, code)
      write(c, log, { ms: Math.round(headersMs), code })
      return
    }
    const leaves = inFlight.move()
    // Never rejects. The status says how it began, `code` how it ended.
    void bodyEnd.then((failure) => {
      leaves.dispose()
      const ms = elapsedMs()
      measure(c, metrics, ms, failure?.code)
      write(c, log, { ms: Math.round(ms), headersMs: Math.round(headersMs), code: failure?.code })
    })
  }
}

function write(c: Context<HttpEnv>, log: Log, ending: object): void {
  const { method, path } = c.req
  const level = ASKED_ALL_THE_TIME.has(path) ? 'debug' : 'info'
  // What is undefined is not written.
  log[level]('request', {
    method,
    path,
    status: c.res.status,
    requestId: c.get('requestId'),
    traceId: c.get('trace')?.traceId,
    client: c.get('clientId'),
    bytes: bytesOf(c),
    tier: c.get('tier'),
    joined: c.get('joined'),
    ...speechLine(c.get('speech')),
    ...ending,
  })
}

/** openai-node sends its bodies in chunks, without a length: then the file's size is all that is known. */
function bytesOf(c: Context<HttpEnv>): number {
  return Number(c.req.header('content-length') ?? c.get('fileBytes') ?? 0)
}

function measure(c: Context<HttpEnv>, metrics: Metrics, ms: number, code: FailureCode | undefined): void {
  const route = routeOf(c)
  metrics.requests.add(1, { route, method: methodOf(c), status: String(c.res.status) })
  metrics.requestSeconds.observe(ms / 1000, { route })
  if (code !== undefined) metrics.failures.add(1, { code })
  const [fileBytes, joined] = [c.get('fileBytes'), c.get('joined')]
  if (fileBytes !== undefined) metrics.uploadBytes.observe(fileBytes, {})
  if (joined !== undefined) metrics.joined.add(1, { state: joined })
  if (c.get('bodyEnd') === undefined) return
  const kind = c.get('speech').isStreamed ? 'stream' : 'early'
  metrics.begunAnswers.add(1, { kind })
  if (code !== undefined) metrics.brokenAnswers.add(1, { kind })
}

/** As it was mounted, never as it was asked for: paths are the clients' to choose, and there is no end of them. */
export function routeOf(c: Context<HttpEnv>): string {
  const route = matchedRoutes(c).findLast(({ method }) => method !== 'ALL')
  return route === undefined ? 'none' : route.path.replace(/:(\w+)\{[^}]*\}/g, '{$1}')
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

export function methodOf({ req: { method } }: Context<HttpEnv>): string {
  return METHODS.has(method) ? method : 'other'
}
