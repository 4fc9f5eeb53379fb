/** How the box is to be reached, by the settings that Caddy has. Whether it can be is not looked at here. */
import { isIP } from 'node:net'
import type { Environment } from './world.ts'

export interface Site {
  /** A name or an address. */
  readonly host: string
  /** Caddy's own authority vouches for it, or nobody outside this machine is to reach it. */
  readonly isPrivate: boolean
  /** Somebody in front of us has the name and the certificate. */
  readonly isBehindProxy: boolean
}

/** Where Caddy listens, seen from here. */
export interface Door {
  /** Its container, of which only the other containers know the name. */
  readonly host: 'caddy' | '127.0.0.1'
  readonly httpPort: number
  readonly httpsPort: number
}

const HTTP = 80
const HTTPS = 443
/** Names for which Caddy asks no public authority. */
const LOCAL_NAME = /(^|\.)(localhost|local|internal|home\.arpa)$/

/** Undefined: SITE_ADDRESS names nothing. */
export function siteOf(environment: Environment): Site | undefined {
  const siteAddress = environment['SITE_ADDRESS'] ?? ''
  const host = hostOf(siteAddress)
  if (host === undefined) return undefined
  const tls = environment['CADDY_TLS'] || 'domain'
  return {
    host,
    isPrivate: tls === 'internal' || LOCAL_NAME.test(host),
    isBehindProxy: tls === 'off' || siteAddress.trim().startsWith('http://'),
  }
}

export function doorOf(environment: Environment, isContainer: boolean): Door {
  const asked = Number(/:(\d+)\/?$/.exec(firstOf(environment['SITE_ADDRESS'] ?? ''))?.[1] ?? HTTPS)
  if (isContainer) return { host: 'caddy', httpPort: HTTP, httpsPort: asked }
  // compose.yaml publishes Caddy's ports under these.
  const { HTTP_PORT, HTTPS_PORT } = environment
  return {
    host: '127.0.0.1',
    httpPort: Number(HTTP_PORT) || HTTP,
    httpsPort: Number(HTTPS_PORT) || asked,
  }
}

/** The first name of Caddy's SITE_ADDRESS, without scheme and port. Undefined: it names none. */
export function hostOf(siteAddress: string): string | undefined {
  const host = firstOf(siteAddress)
    .replace(/^https?:\/\//, '')
    .replace(/\/.*$/, '')
  const bare = /^\[(.+)\]/.exec(host)?.[1] ?? (isIP(host) === 0 ? host.replace(/:\d*$/, '') : host)
  return bare === '' ? undefined : bare
}

function firstOf(siteAddress: string): string {
  return siteAddress.trim().split(/[\s,]+/)[0] ?? ''
}
