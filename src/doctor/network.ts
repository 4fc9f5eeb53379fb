/**
 * How the box is reached: clock, name, ports, the address that others see, certificate. What needs somebody on the Internet is
 * asked only when that was allowed. From inside one cannot prove that the outside gets in, and no line claims it.
 */
import { isIP } from 'node:net'
import { Networks, plainAddress } from '../networks.ts'
import { type Finding, fail, ok, reasonOf, warn } from './finding.ts'
import type { World } from './world.ts'

const MOST_SECONDS_OFF = 30
const LATER = 'npm run doctor -- --online, when there is a network'
/** A name that resolves wherever names do. */
const WELL_KNOWN = 'huggingface.co'
const PRIVATE = new Networks([
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '127.0.0.0/8',
  '::1',
  'fc00::/7',
  'fe80::/10',
])
/** Of providers who give one public address to many (RFC 6598). Tailscale uses it, too. */
const SHARED = new Networks(['100.64.0.0/10'])
/** What Caddy's own authority (`tls internal`) looks like to whoever does not know it. */
const UNKNOWN_AUTHORITY = /SELF_SIGNED|ISSUER|VERIFY_LEAF/
/** Caddy renews with a third of the lifetime left. */
const RENEWAL_OVERDUE = 0.2

/** The first name of Caddy's SITE_ADDRESS, without scheme and port. Undefined: it names none. */
export function hostOf(siteAddress: string): string | undefined {
  const [first = ''] = siteAddress.trim().split(/[\s,]+/)
  const host = first.replace(/^https?:\/\//, '').replace(/\/.*$/, '')
  const bare = /^\[(.+)\]/.exec(host)?.[1] ?? (isIP(host) === 0 ? host.replace(/:\d*$/, '') : host)
  return bare === '' ? undefined : bare
}

export async function checkClock(world: Pick<World, 'foreignTimeMs' | 'nowMs'>): Promise<Finding> {
  try {
    const seconds = Math.round((world.nowMs() - (await world.foreignTimeMs())) / 1000)
    if (Math.abs(seconds) <= MOST_SECONDS_OFF) return ok('clock', `at most ${MOST_SECONDS_OFF} s off`)
    const says = `${Math.abs(seconds)} s ${seconds > 0 ? 'fast' : 'slow'}: certificates and keys expire at the wrong time`
    return fail('clock', says, 'sudo timedatectl set-ntp true')
  } catch (error) {
    return warn('clock', `not compared: ${reasonOf(error)}`, LATER)
  }
}

/** `seen` is the address that others see; undefined: nobody was asked, or nobody answered. */
export async function checkName(
  host: string,
  seen: string | undefined,
  { resolve }: Pick<World, 'resolve'>,
): Promise<Finding> {
  if (isIP(host) !== 0) return againstSeen(host, [host], seen)
  try {
    return againstSeen(host, await resolve(host), seen)
  } catch (error) {
    // Whoever knows names does not answer, which says nothing of this one.
    if (!isUnknownName(error))
      return warn('name', `${host} could not be looked up: ${reasonOf(error)}`, LATER)
    const knowsOthers = await resolve(WELL_KNOWN).then(
      () => true,
      () => false,
    )
    // Without a network, and with some name servers down, every name is one that nobody knows.
    if (!knowsOthers) return warn('name', `${host} could not be looked up, nor could any other name`, LATER)
    return fail(
      'name',
      `nobody knows ${host}: ${reasonOf(error)}`,
      `an A record of ${host} with this box's public address`,
    )
  }
}

function againstSeen(host: string, addresses: readonly string[], seen: string | undefined): Finding {
  const says = isIP(host) === 0 ? `${host} is ${addresses.join(', ')}` : `SITE_ADDRESS is ${host}`
  if (seen === undefined) {
    const isInside = addresses.every((address) => PRIVATE.has(address) || SHARED.has(address))
    return isInside
      ? warn(
          'name',
          `${says}, which only this network can reach`,
          'a public address, where others are to reach it',
        )
      : ok('name', says)
  }
  if (addresses.includes(seen)) return ok('name', `${says}, as others see us`)
  const isComparable = addresses.some((address) => isIP(address) === isIP(seen))
  const mend = `set the A record of ${host} to ${seen}`
  if (!isComparable) return warn('name', `${says}, which nobody without IPv6 can reach`, mend)
  return fail('name', `${says}, and others see us as ${seen}`, mend)
}

export async function checkPorts({ connects }: Pick<World, 'connects'>): Promise<Finding> {
  const ports = [80, 443]
  const open = await Promise.all(ports.map((port) => connects('127.0.0.1', port)))
  const closed = ports.filter((_, index) => !open[index])
  if (closed.length === 0) return ok('ports', '80 and 443 listen on this machine')
  return warn(
    'ports',
    `nobody listens on ${closed.join(' and ')} of this machine`,
    'docker compose up -d, for the server and Caddy; not needed with a tunnel',
  )
}

export async function checkRouter(
  seen: string | Error,
  { ownAddresses }: Pick<World, 'ownAddresses'>,
): Promise<Finding> {
  const tunnel = 'Tailscale Funnel or another tunnel, which needs no port forward'
  const own = ownAddresses()
  const shared = own.find(({ card, address }) => SHARED.has(address) && !card.startsWith('tailscale'))
  if (shared !== undefined)
    return warn(
      'router',
      `${shared.card} has ${shared.address}: the provider shares one public address among many (CGNAT)`,
      tunnel,
    )
  if (seen instanceof Error)
    return warn('router', `nobody told us our public address: ${reasonOf(seen)}`, LATER)
  if (own.some(({ address }) => plainAddress(address) === seen))
    return ok('router', `${seen} is this machine's own address`)
  const says = `others see us as ${seen}, which is an address of the router, or of the provider`
  return warn(
    'router',
    says,
    `look at the router's own address: if it is ${seen}, forward 80 and 443; if not (CGNAT): ${tunnel}`,
  )
}

export async function checkCertificate(
  host: string,
  { certificate, nowMs }: Pick<World, 'certificate' | 'nowMs'>,
): Promise<Finding> {
  try {
    const { validFrom, validTo, problem } = await certificate(host, 443)
    const says = `of ${host}, good until ${validTo.toISOString().slice(0, 16)}Z`
    const mend = 'docker compose logs caddy, which says why there is no new one'
    const left = validTo.getTime() - nowMs()
    if (left <= 0) return fail('certificate', `${says}: it has expired`, mend)
    if (problem !== undefined) {
      const isUnknown = UNKNOWN_AUTHORITY.test(problem)
      const trust = "with tls internal, clients have to trust Caddy's root certificate; otherwise: "
      const judge = isUnknown ? warn : fail
      return judge(
        'certificate',
        `${says}: clients refuse it (${problem})`,
        isUnknown ? `${trust}${mend}` : mend,
      )
    }
    const lifetime = validTo.getTime() - validFrom.getTime()
    return left < lifetime * RENEWAL_OVERDUE
      ? warn('certificate', `${says}: it should have been renewed`, mend)
      : ok('certificate', says)
  } catch (error) {
    // Many routers do not lead one's own public address back inside.
    return warn(
      'certificate',
      `${host}:443 does not answer from here: ${reasonOf(error)}`,
      `curl -v https://${host}/livez from another network`,
    )
  }
}

function isUnknownName(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOTFOUND', 'ENODATA'].includes(String(error.code))
}
