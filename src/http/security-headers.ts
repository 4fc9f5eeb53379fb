/** What browsers must not do with our answers. The documentation's pages loosen this for themselves. */
import type { MiddlewareHandler } from 'hono'
import type { HttpEnv } from './parts.ts'

/** Nothing here is a page, a frame or a script, unless it says so itself; and no address of ours goes to other sites. */
export const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
} as const

/** Transcripts are private: nobody between us and the client keeps them. */
const CACHE_CONTROL = 'no-store'

/** Afterwards, so that whatever a route says stays as it says it. */
export const securityHeaders: MiddlewareHandler<HttpEnv> = async (c, next) => {
  await next()
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
    if (!c.res.headers.has(name)) c.header(name, value)
  }
  if (c.req.method === 'POST' && !c.res.headers.has('cache-control')) c.header('cache-control', CACHE_CONTROL)
}
