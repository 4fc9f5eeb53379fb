/** The client's leaving, as a signal. It does not know what that ends. */
import type { Context } from 'hono'
import { Failure } from '../failure.ts'

/**
 * Aborts with a Failure when the client hangs up; the reason of node-server's own signal is a string, which Hono passes by
 * all error handlers when it is thrown. A controller, since whoever works for a client may have other reasons to stop.
 */
export function hangUp(c: Context): AbortController {
  const controller = new AbortController()
  const { signal } = c.req.raw
  const leave = () => controller.abort(clientLeft(signal.reason))
  if (signal.aborted) leave()
  else signal.addEventListener('abort', leave, { once: true })
  return controller
}

export function clientLeft(cause?: unknown): Failure {
  return new Failure('client_closed_request', 'The client closed the connection.', { cause })
}
