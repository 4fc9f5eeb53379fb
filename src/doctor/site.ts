/** How the box is to be reached, by the settings that Caddy has. Whether it can be is not looked at here. */
import { isIP } from 'node:net'
import { Networks } from '../networks.ts'
import type { Environment } from './world.ts'

export const PRIVATE = new Networks([
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '127.0.0.0/8',
  '::1',
  'fc00::/7',
  'fe80::/10',
])

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
/** Names for which Caddy asks no public authority, as for addresses of private networks. */
const LOCAL_NAME = /(^|\.)(localhost|local|internal|home\.arpa)$/

/** Undefined: SITE_ADDRESS names nothing. */
export function siteOf(environment: Environment): Site | undefined {
  const siteAddress = environment['SITE_ADDRESS'] ?? ''
  const host = hostOf(siteAddress)
  if (host === undefined) return undefined
  const tls = environment['CADDY_TLS'] || 'domain'
  return {
    host,
    isPrivate: tls === 'internal' || LOCAL_NAME.test(host) || PRIVATE.has(host),
    isBehindProxy: tls === 'off' || siteAddress.trim().startsWith('http://'),
  }
}

export function doorOf(environment: Environment, isContainer: boolean): Door {
  const { CADDY_HTTP_PORT, CADDY_HTTPS_PORT, HTTP_PORT, HTTPS_PORT, SITE_ADDRESS = '' } = environment
  const asked = Number(/:(\d+)\/?$/.exec(firstOf(SITE_ADDRESS))?.[1])
  const httpPort = Number(CADDY_HTTP_PORT) || HTTP
  const httpsPort = asked || Number(CADDY_HTTPS_PORT) || HTTPS
  if (isContainer) return { host: 'caddy', httpPort, httpsPort }
  // compose.yaml publishes Caddy's ports under these.
  return {
    host: '127.0.0.1',
    httpPort: publishedPort(HTTP_PORT) ?? httpPort,
    httpsPort: publishedPort(HTTPS_PORT) ?? httpsPort,
  }
}

/** `8080`, or `127.0.0.1:8080` for this machine alone. */
function publishedPort(published = ''): number | undefined {
  return Number(/(\d+)$/.exec(published.trim())?.[1]) || undefined
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
