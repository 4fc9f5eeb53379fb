/** From which address a request comes. What is done with it is decided elsewhere. */
import type { HttpBindings } from '@hono/node-server'
import type { Context, MiddlewareHandler } from 'hono'
import { Networks, plainAddress, subscriberOf } from '../networks.ts'
import type { HttpEnv } from './parts.ts'

/** Where there is no connection, as in tests that call the app itself. */
const NOWHERE = 'unknown'

/** @param trustedProxies whose word is taken for whom they have a request from; nobody else's. */
export function clientAddress(trustedProxies: readonly string[]): MiddlewareHandler<HttpEnv> {
  const trusted = new Networks(trustedProxies)
  return async (c, next) => {
    const address = addressOf(peerOf(c), c.req.header('x-forwarded-for') ?? '', trusted)
    c.set('address', subscriberOf(address))
    await next()
  }
}

function peerOf(c: Context): string {
  const { incoming } = (c.env ?? {}) as Partial<HttpBindings>
  return plainAddress(incoming?.socket.remoteAddress ?? '') ?? NOWHERE
}

/**
 * Each proxy appends whom it has the request from: read from the end, the first that is no proxy of ours is the client.
 * What stands before may be the client's invention.
 */
function addressOf(peer: string, forwardedFor: string, trusted: Networks): string {
  let address = peer
  for (const text of forwardedFor.split(',').toReversed()) {
    if (!trusted.has(address)) break
    const before = plainAddress(text.trim())
    if (before === undefined) break
    address = before
  }
  return address
}
