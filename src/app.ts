/** Mounts the routes. The only place where an error becomes a response. */
import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import { requestId as requestIds } from 'hono/request-id'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { Failure } from './failure.ts'
import { detectLanguageRoutes } from './http/detect-language.ts'
import { documentationRoutes } from './http/documentation.ts'
import { modelRoutes } from './http/models.ts'
import { endpointSummaries, openApiDocument } from './http/openapi.ts'
import type { HttpEnv, Parts } from './http/parts.ts'
import { requestLog } from './http/request-log.ts'
import { rootRoutes } from './http/root.ts'
import { transcribeRoutes } from './http/transcribe.ts'
import { transcriptionRoutes } from './http/transcriptions.ts'
import type { Log } from './log.ts'

export function createApp(parts: Parts): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  app.use(requestIds(), requestLog(parts.log))
  const { corsOrigins } = parts.config
  if (corsOrigins.length > 0) app.use(corsFor(corsOrigins))

  app
    .route('/', transcriptionRoutes(parts))
    .route('/', transcribeRoutes(parts))
    .route('/', detectLanguageRoutes(parts))
    .route('/', modelRoutes(parts))
    .route('/', rootRoutes(parts, endpointSummaries()))
    .route('/', documentationRoutes(openApiDocument()))

  app.notFound((c) => respond(c, nothingThere(app, c)))
  app.onError((error, c) => respond(c, asFailure(error, c, parts.log)))
  return app
}

function corsFor(origins: readonly string[]) {
  return cors({
    origin: origins.includes('*') ? '*' : [...origins],
    allowMethods: ['GET', 'POST'],
    exposeHeaders: ['x-request-id', 'openai-processing-ms', 'retry-after'],
    maxAge: 86_400,
  })
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** A path that exists under another method is a 405, which must name the methods it has (RFC 9110 §15.5.6). */
function nothingThere(app: Hono<HttpEnv>, c: Context<HttpEnv>): Failure {
  const { method, path } = c.req
  const isServed = (asked: string) =>
    app.router.match(asked, path)[0].some(([[, route]]) => route.method === asked)
  const allowed = METHODS.filter((asked) => isServed(asked === 'HEAD' ? 'GET' : asked)).join(', ')
  if (allowed === '') return new Failure('not_found', `There is no ${path} here; GET / lists what there is.`)
  c.header('allow', allowed)
  return new Failure('method_not_allowed', `${path} does not take ${method}; it takes ${allowed}.`)
}

/** A bug gives the client a plain sentence and an id; the log gets everything. */
function asFailure(error: Error, c: Context<HttpEnv>, log: Log): Failure {
  const requestId = c.get('requestId')
  // Whatever broke while the client was leaving broke because of it, and nobody is there to read the answer.
  if (c.req.raw.signal.aborted) {
    return new Failure('client_closed_request', 'The client closed the connection.', { cause: error })
  }
  const failure =
    error instanceof Failure
      ? error
      : new Failure('internal_error', `Something went wrong on our side. Please report request ${requestId}.`)
  if (failure.status === 500) log.error('request failed', { requestId, error })
  return failure
}

/** OpenAI's envelope: all four keys, always. */
function respond(c: Context<HttpEnv>, failure: Failure): Response {
  const { message, type, param, code, status, retryAfterSeconds } = failure
  if (retryAfterSeconds !== undefined) c.header('retry-after', String(retryAfterSeconds))
  if (status === 503) c.header('x-should-retry', String(canRetry(c.req.header('user-agent'))))
  // 499 is nginx's number, unknown to Hono's types.
  return c.json({ error: { message, type, param, code } }, status as ContentfulStatusCode)
}

/** openai-node 4 retries an upload with a Content-Length but no body, and then waits for us (seen with 4.104.0). */
function canRetry(userAgent = ''): boolean {
  return !userAgent.startsWith('OpenAI/JS 4.')
}
