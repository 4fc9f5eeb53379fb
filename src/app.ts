/** Mounts the routes. The only place where an error becomes a response. */
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import { requestId as requestIds } from 'hono/request-id'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Config } from './config.ts'
import { Failure, type FailureCode, LONGEST_RETRY_AFTER_SECONDS } from './failure.ts'
import { authentication } from './http/auth.ts'
import { clientAddress } from './http/client-address.ts'
import { detectLanguageRoutes } from './http/detect-language.ts'
import { documentationRoutes } from './http/documentation.ts'
import { adminRoutes } from './http/jobs/admin-page.ts'
import { asyncTranscribeRoutes } from './http/jobs/async-transcribe.ts'
import { JOB_ID_HEADER, REPLAYED_HEADER } from './http/jobs/hand-in.ts'
import { jobEventRoutes } from './http/jobs/job-events.ts'
import { jobResultRoutes } from './http/jobs/job-result.ts'
import { jobRoutes } from './http/jobs/jobs.ts'
import { taskRoutes } from './http/jobs/tasks.ts'
import { RATE_LIMIT_HEADERS } from './http/limits.ts'
import { metricsRoutes } from './http/metrics.ts'
import { modelRoutes } from './http/models.ts'
import { endpointSummaries, openApiDocument } from './http/openapi.ts'
import type { HttpEnv, Parts } from './http/parts.ts'
import { probeRoutes } from './http/probes.ts'
import { requestLog } from './http/request-log.ts'
import { rootRoutes } from './http/root.ts'
import { lbStatusRoutes } from './http/lb-status.ts'
import { securityHeaders } from './http/security-headers.ts'
import { asFailure, envelope } from './http/told.ts'
import { tracing } from './http/tracing.ts'
import { transcribeRoutes } from './http/transcribe.ts'
import { transcriptionRoutes } from './http/transcriptions.ts'
import { translationRoutes } from './http/translations.ts'
import { openAiUploadRoutes } from './http/uploads/openai-uploads.ts'
import { TUS_ANSWER_HEADERS, tusRoutes } from './http/uploads/tus.ts'

/** The only version of its API that OpenAI has ever named. */
const OPENAI_VERSION = '2020-10-01'

export function createApp(parts: Parts): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const { corsOrigins, trustedProxies, metrics } = parts.config
  app.use(requestIds())
  if (parts.sendSpans !== undefined) app.use(tracing(parts.sendSpans))
  app.use(requestLog(parts.log, parts.metrics), signature, securityHeaders, clientAddress(trustedProxies))
  // Before keys are asked for: a page must be able to read that its key is wrong, and asks beforehand without one.
  if (corsOrigins.length > 0) app.use(corsFor(corsOrigins))
  if (parts.bullBoard !== undefined) app.use(parts.bullBoard.key)
  app.use(authentication(parts, metrics === 'open' ? ['/metrics'] : []))

  if (parts.config.role !== 'worker') speechRoutes(app, parts)
  app
    .route('/', rootRoutes(parts, endpointsOf(parts.config)))
    .route('/', probeRoutes(parts))
    .route('/', metricsRoutes(parts))

  app.notFound((c) => respond(c, nothingThere(app, c, parts.config.role)))
  app.onError((error, c) => respond(c, asFailure(error, c, parts.log)))
  return app
}

const PATHS_OF_WORKERS = ['/', '/health', '/livez', '/readyz', '/startupz', '/metrics']

function endpointsOf({ role, metrics }: Config): Readonly<Record<string, string>> {
  const all = endpointSummaries(metrics)
  if (role !== 'worker') return all
  return Object.fromEntries(
    Object.entries(all).filter(([endpoint]) => PATHS_OF_WORKERS.includes(endpoint.split(' ')[1] ?? '')),
  )
}

/** A worker takes no requests: it has its probes and figures, and nothing else. */
function speechRoutes(app: Hono<HttpEnv>, parts: Parts): void {
  app
    .route('/', transcriptionRoutes(parts))
    .route('/', translationRoutes(parts))
    .route('/', transcribeRoutes(parts))
    .route('/', detectLanguageRoutes(parts))
    .route('/', openAiUploadRoutes(parts))
    .route('/', tusRoutes(parts))
    .route('/', jobRoutes(parts))
    .route('/', jobResultRoutes(parts))
    .route('/', jobEventRoutes(parts))
    .route('/', asyncTranscribeRoutes(parts))
    .route('/', taskRoutes(parts))
    .route('/', adminRoutes())
    .route('/', modelRoutes(parts))
    .route('/', lbStatusRoutes(parts))
    .route('/', documentationRoutes(currentDocument(parts)))
  if (parts.bullBoard !== undefined) app.route('/', parts.bullBoard.routes)
}

/** Whether keys are needed may change while we run. Made when it is asked for, once of each kind: it takes a while. */
function currentDocument({ keys, config }: Pick<Parts, 'keys' | 'config'>): () => Promise<object> {
  const made = new Map<boolean, object>()
  return async () => {
    const asksForKeys = await keys.asks()
    const document = made.get(asksForKeys) ?? openApiDocument(asksForKeys, config.metrics)
    made.set(asksForKeys, document)
    return document
  }
}

/** Afterwards, so that it is also on an answer that a route has made without Hono's help. */
const signature: MiddlewareHandler<HttpEnv> = async (c, next) => {
  await next()
  c.header('x-request-id', c.get('requestId'))
  if (c.req.path.startsWith('/v1/')) c.header('openai-version', OPENAI_VERSION)
}

/** What a page may read of our answers. */
const EXPOSED_HEADERS = [
  'x-request-id',
  'openai-processing-ms',
  'openai-version',
  'retry-after',
  'x-should-retry',
  'x-joined',
  'location',
  ...TUS_ANSWER_HEADERS,
  JOB_ID_HEADER,
  REPLAYED_HEADER,
  'preference-applied',
  ...RATE_LIMIT_HEADERS,
]

/** Request headers are allowed as they are asked for: the SDKs send a dozen of their own (`x-stainless-…`) and ever new ones. */
function corsFor(origins: readonly string[]) {
  return cors({
    origin: origins.includes('*') ? '*' : [...origins],
    allowMethods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
    exposeHeaders: EXPOSED_HEADERS,
    maxAge: 86_400,
  })
}

const WORKER_ONLY =
  'This server is a worker and takes no requests: they go to a server with ROLE=api or ROLE=all. Here are only /livez, /readyz, /startupz, /health and /metrics.'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** A path that exists under another method is a 405, which must name the methods it has (RFC 9110 §15.5.6). */
function nothingThere(app: Hono<HttpEnv>, c: Context<HttpEnv>, role: Config['role']): Failure {
  const { method, path } = c.req
  const isServed = (asked: string) =>
    app.router.match(asked, path)[0].some(([[, route]]) => route.method === asked)
  const allowed = METHODS.filter((asked) => isServed(asked === 'HEAD' ? 'GET' : asked)).join(', ')
  if (allowed === '' && role === 'worker') return new Failure('not_found', WORKER_ONLY)
  if (allowed === '') return new Failure('not_found', `There is no ${path} here; GET / lists what there is.`)
  c.header('allow', allowed)
  return new Failure('method_not_allowed', `${path} does not take ${method}; it takes ${allowed}.`)
}

/**
 * Two of its processes have died over a recording that is `engine_crashed`: asking again would take down two more. SDKs repeat
 * a 409 and a 500 by themselves; a key that was used stays used, and a job that failed stays failed.
 */
const NEVER_AGAIN: ReadonlySet<FailureCode> = new Set([
  'engine_crashed',
  'idempotency_key_reused',
  'job_failed',
])

function respond(c: Context<HttpEnv>, failure: Failure): Response {
  const { status, retryAfterSeconds } = failure
  c.set('failureCode', failure.code)
  if (retryAfterSeconds !== undefined) c.header('retry-after', String(retryAfterSeconds))
  if (status === 401) c.header('www-authenticate', 'Bearer')
  const isHopeless = NEVER_AGAIN.has(failure.code) || (retryAfterSeconds ?? 0) > LONGEST_RETRY_AFTER_SECONDS
  if (!canRetry(c) || isHopeless) c.header('x-should-retry', 'false')
  else if (status === 503 || status === 429) c.header('x-should-retry', 'true')
  // 499 is nginx's number, unknown to Hono's types.
  return c.json(envelope(failure), status as ContentfulStatusCode)
}

/** openai-node 4 retries an upload with a Content-Length but no body, and then waits for us (seen with 4.104.0). */
function canRetry(c: Context<HttpEnv>): boolean {
  const isNode4 = (c.req.header('user-agent') ?? '').startsWith('OpenAI/JS 4.')
  return !isNode4 || c.req.method !== 'POST'
}
