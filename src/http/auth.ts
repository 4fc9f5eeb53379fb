/**
 * Who may come in. Everything asks for a key that is not named here as open, so a route that somebody adds later is
 * protected without doing anything. Which keys are good is not known here.
 */
import type { Context, MiddlewareHandler } from 'hono'
import type { Client, Scope } from '../api-keys.ts'
import { Failure } from '../failure.ts'
import type { HttpEnv, Parts } from './parts.ts'

/** Whether it works, and how to call it: nothing that costs anything or tells what anybody said. */
const OPEN_PATHS: ReadonlySet<string> = new Set([
  '/',
  '/health',
  '/livez',
  '/readyz',
  '/startupz',
  '/openapi.json',
  '/docs',
  '/redoc',
  '/admin/queue', // a page without facts: its script asks for a key and then for them
])
const OPEN_BEGINNINGS = ['/docs/', '/redoc/', '/admin/queue/']

export function isOpen(path: string): boolean {
  return OPEN_PATHS.has(path) || OPEN_BEGINNINGS.some((beginning) => path.startsWith(beginning))
}

/** What a key must be good for. A path that is not named: any key for reading, `transcribe` for more. */
const SCOPES_OF_PATHS: readonly (readonly [beginning: string, scope: Scope])[] = [
  ['/metrics', 'metrics'],
  ['/lb-status', 'metrics'],
  ['/jobs', 'jobs'],
  ['/v1/jobs', 'jobs'],
  ['/uploads', 'transcribe'],
  ['/v1/uploads', 'transcribe'],
  ['/transcribe/async', 'jobs'],
  ['/status', 'jobs'],
  ['/download', 'jobs'],
  ['/release', 'jobs'],
  ['/queue', 'jobs'],
  ['/admin', 'admin'],
]

/** Undefined: any key is good enough. */
export function scopeOf(method: string, path: string): Scope | undefined {
  const [, named] =
    SCOPES_OF_PATHS.find(([beginning]) => path === beginning || path.startsWith(`${beginning}/`)) ?? []
  if (named !== undefined) return named
  if (method === 'GET' || method === 'HEAD') return undefined
  return method === 'POST' ? 'transcribe' : 'admin'
}

/** Refuses before a byte of the body has been read. `alsoOpen` are paths that a setting has opened. */
export function authentication(
  parts: Pick<Parts, 'keys' | 'failedKeys'>,
  alsoOpen: readonly string[] = [],
): MiddlewareHandler<HttpEnv> {
  const asksFor = (path: string) => !isOpen(path) && !alsoOpen.includes(path)
  return async (c, next) => {
    // A browser asks by OPTIONS whether it may send a key, and cannot send one with it.
    if (c.req.method !== 'OPTIONS' && asksFor(c.req.path) && (await parts.keys.asks())) {
      const client = await authenticate(c, parts)
      c.set('clientId', client.id)
      c.set('scopes', client.scopes)
      requireScope(client, scopeOf(c.req.method, c.req.path))
    }
    await next()
  }
}

/** @throws Failure insufficient_scope */
export function requireScope({ scopes }: Pick<Client, 'scopes'>, scope: Scope | undefined): void {
  if (scope === undefined || scopes.includes(scope) || scopes.includes('admin')) return
  throw new Failure(
    'insufficient_scope',
    `The API key may not do this: it has the scopes ${scopes.join(', ')}, and ${scope} is needed.`,
  )
}

/** @throws Failure invalid_api_key, which does not repeat the key; rate_limit_exceeded */
async function authenticate(
  c: Context<HttpEnv>,
  { keys, failedKeys }: Pick<Parts, 'keys' | 'failedKeys'>,
): Promise<Client> {
  const shown = shownKeys(c.req.raw.headers)
  const allowed = 'Authorization: Bearer KEY, or X-API-Key: KEY'
  if (shown.length === 0) {
    throw new Failure('invalid_api_key', `This server asks for an API key: send ${allowed}.`)
  }
  const found = await Promise.all(shown.map((key) => keys.clientWith(key)))
  const client = found.find((known) => known !== undefined)
  await failedKeys.judge(c.get('address'), client?.id)
  if (client === undefined) {
    throw new Failure('invalid_api_key', 'The API key is not one of those that this server knows.')
  }
  return client
}

/** Vexa sends `X-API-Key`; a proxy before us may want `Authorization` for itself. One good key is enough. */
function shownKeys(headers: Headers): string[] {
  const bearer = /^bearer +(\S+) *$/i.exec(headers.get('authorization') ?? '')?.[1]
  const named = headers.get('x-api-key')?.trim()
  return [bearer, named].filter((key) => key !== undefined && key !== '') as string[]
}
