/** The client's leaving, as a signal. It does not know what that ends. */
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import { Failure } from '../failure.ts'

/**
 * Aborts with a Failure when the client hangs up; the reason of node-server's own signal is a string, which Hono passes by
 * all error handlers when it is thrown. A controller, since whoever works for a client may have other reasons to stop.
 */
export function hangUp(c: Context): AbortController {
  const controller = new AbortController()
  whenClientLeaves(c, (cause) => controller.abort(clientLeft(cause)))
  return controller
}

/**
 * Node keeps the signal of each request until the request is garbage, and whatever the signal leads to with it. If that leads
 * back to the request, neither ever is. So nothing hangs on the signal when the answer is over.
 */
export function whenClientLeaves(c: Context, act: (cause: unknown) => void): void {
  const { signal } = c.req.raw
  const leave = () => act(signal.reason)
  if (signal.aborted) return leave()
  signal.addEventListener('abort', leave, { once: true })
  const { outgoing } = (c.env ?? {}) as Partial<HttpBindings>
  // Of the same closing node-server makes the client's leaving, perhaps after us.
  outgoing?.once('close', () => setImmediate(() => signal.removeEventListener('abort', leave)))
}

export function clientLeft(cause?: unknown): Failure {
  return new Failure('client_closed_request', 'The client closed the connection.', { cause })
}
