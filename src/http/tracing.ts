/** A span for each request, and what becomes of the road's stages in it. Where spans go is not known here. */
import type { MiddlewareHandler } from 'hono'
import type { RoadObserver } from '../road-observer.ts'
import { RequestTrace, type Span } from '../tracing/request-trace.ts'
import { traceContext } from '../tracing/trace-context.ts'
import type { HttpEnv } from './parts.ts'
import { ASKED_ALL_THE_TIME, methodOf, routeOf } from './request-log.ts'

/** To the end of the body, like the line in the log. Routes, statuses and codes; never what was said, or by whom. */
export function tracing(send: (spans: readonly Span[]) => void): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    if (ASKED_ALL_THE_TIME.has(c.req.path)) return next()
    const trace = new RequestTrace(traceContext(c.req.header('traceparent')), send, () => Date.now())
    c.set('trace', trace)
    await next()
    const end = (code: string | undefined) => {
      const [method, route, { status }] = [methodOf(c), routeOf(c), c.res]
      trace.end({
        name: `${method} ${route}`,
        attributes: {
          'http.request.method': method,
          'http.route': route,
          'http.response.status_code': status,
          'hviske.request_id': c.get('requestId'),
          ...(code !== undefined && { 'error.type': code }),
        },
        // OpenTelemetry: what a client did wrong is no failure of the server. An answer that broke off is.
        hasFailed: status >= 500 || (status < 400 && code !== undefined),
      })
    }
    const bodyEnd = c.get('bodyEnd')
    if (bodyEnd === undefined) end(c.get('failureCode'))
    else void bodyEnd.then((failure) => end(failure?.code)) // never rejects
  }
}

/** What is told to `observer`, told to the trace as well. */
export function traceRoad(trace: RequestTrace, observer: RoadObserver): RoadObserver {
  return {
    ...observer,
    waited: (queue, seconds) => {
      observer.waited(queue, seconds)
      trace.stage(`wait for ${queue}`, seconds)
    },
    decoded: (seconds) => {
      observer.decoded(seconds)
      trace.stage('decode', seconds)
    },
    worked: (task, seconds) => {
      observer.worked(task, seconds)
      trace.stage('engine', seconds, { 'hviske.task': task })
    },
  }
}
