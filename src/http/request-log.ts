/** One wide line in the log for each request: facts about it, never its content. */
import type { MiddlewareHandler } from 'hono'
import { Failure } from '../failure.ts'
import type { Log } from '../log.ts'
import type { HttpEnv } from './parts.ts'

/** Also tells the client how long it took, under OpenAI's header name. */
export function requestLog(log: Log): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const startedMs = performance.now()
    await next()
    const ms = Math.round(performance.now() - startedMs)
    c.header('openai-processing-ms', String(ms))

    const { method, path } = c.req
    // openai-node sends its bodies in chunks, without a length: then the file's size is all that is known.
    const bytes = Number(c.req.header('content-length') ?? c.get('fileBytes') ?? 0)
    const code = c.error instanceof Failure ? { code: c.error.code } : {}
    const facts = { method, path, status: c.res.status, ms, requestId: c.get('requestId'), bytes, ...code }
    // Containers ask for their health every few seconds; that would bury the rest.
    if (path === '/health') log.debug('request', facts)
    else log.info('request', facts)
  }
}
