/**
 * Who may come in. Everything asks for a key that is not named here as open, so a route that somebody adds later is
 * protected without doing anything. Which keys are good is not known here.
 */
import type { MiddlewareHandler } from 'hono'
import type { ApiKeys, Client } from '../api-keys.ts'
import { Failure } from '../failure.ts'
import type { HttpEnv } from './parts.ts'

/** Whether it works, and how to call it: nothing that costs anything or tells what anybody said. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/', '/health', '/openapi.json', '/docs', '/redoc'])
const OPEN_BEGINNINGS = ['/docs/', '/redoc/']

export function isOpen(path: string): boolean {
  return OPEN_PATHS.has(path) || OPEN_BEGINNINGS.some((beginning) => path.startsWith(beginning))
}

/** Refuses before a byte of the body has been read. */
export function authentication(keys: ApiKeys): MiddlewareHandler<HttpEnv> {
  return async (c, next) => {
    // A browser asks by OPTIONS whether it may send a key, and cannot send one with it.
    if (keys.size > 0 && c.req.method !== 'OPTIONS' && !isOpen(c.req.path)) {
      c.set('clientId', authenticate(c.req.raw.headers, keys).id)
    }
    await next()
  }
}

/** @throws Failure invalid_api_key, which does not repeat the key. */
function authenticate(headers: Headers, keys: ApiKeys): Client {
  const shown = shownKeys(headers)
  const allowed = 'Authorization: Bearer KEY, or X-API-Key: KEY'
  if (shown.length === 0) {
    throw new Failure('invalid_api_key', `This server asks for an API key: send ${allowed}.`)
  }
  const [client] = shown.flatMap((key) => keys.clientWith(key) ?? [])
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
