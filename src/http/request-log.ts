/** One wide line in the log for each request, when its body has ended: facts about it, never its content. */
import type { MiddlewareHandler } from 'hono'
import { Failure } from '../failure.ts'
import type { Log } from '../log.ts'
import type { HttpEnv } from './parts.ts'

/** Also tells the client how long it took until now, under OpenAI's header name. */
export function requestLog(log: Log): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    const startedMs = performance.now()
    const elapsedMs = () => Math.round(performance.now() - startedMs)
    await next()
    const headersMs = elapsedMs()
    c.header('openai-processing-ms', String(headersMs))

    const { method, path } = c.req
    // Containers ask for their health every few seconds; that would bury the rest.
    const level = path === '/health' ? 'debug' : 'info'
    const { status } = c.res
    const requestId = c.get('requestId')
    // openai-node sends its bodies in chunks, without a length: then the file's size is all that is known.
    const bytes = Number(c.req.header('content-length') ?? c.get('fileBytes') ?? 0)
    const [client, joined, tier] = [c.get('clientId'), c.get('joined'), c.get('tier')]
    const facts = { method, path, status, requestId, client, bytes, tier, joined } // undefined is not written
    const bodyEnd = c.get('bodyEnd')
    if (bodyEnd === undefined) log[level]('request', { ...facts, ms: headersMs, ...codeOf(c.error) })
    else {
      // Never rejects. The status says how it began, `code` how it ended.
      void bodyEnd.then((failure) =>
        log[level]('request', { ...facts, ms: elapsedMs(), headersMs, ...codeOf(failure) }),
      )
    }
  }
}

function codeOf(error: Error | undefined) {
  return error instanceof Failure ? { code: error.code } : {}
}
