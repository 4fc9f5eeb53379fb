/**
 * How the box is reached: clock, name, ports, the address that others see. What needs somebody on the Internet is asked
 * only when that was allowed. From inside one cannot prove that the outside gets in, and no line claims it.
 */
import { isIP } from 'node:net'
import { Networks, plainAddress } from '../networks.ts'
import { type Finding, fail, ok, reasonOf, warn } from './finding.ts'
import { type Door, PRIVATE, type Site } from './site.ts'
import type { World } from './world.ts'

const MOST_SECONDS_OFF = 30
const LATER = 'npm run doctor -- --online, when there is a network'
/** A name that resolves wherever names do. */
const WELL_KNOWN = 'huggingface.co'
/** Of providers who give one public address to many (RFC 6598). Tailscale uses it, too. */
const SHARED = new Networks(['100.64.0.0/10'])
/** A machine without a battery for its clock wakes in 1970, or where its disk was last written. */
const BUILT_MS = Date.UTC(2026, 0, 1)
const SET_CLOCK = 'sudo timedatectl set-ntp true'

export async function checkClock(
  isOnline: boolean,
  world: Pick<World, 'foreignTimeMs' | 'nowMs' | 'run'>,
): Promise<Finding> {
  const now = new Date(world.nowMs()).toISOString().slice(0, 16).replace('T', ' ')
  if (world.nowMs() < BUILT_MS)
    return fail('clock', `${now} UTC, which is before this program was made`, SET_CLOCK)
  return isOnline ? againstOthers(world) : asKept(now, world)
}

async function againstOthers(world: Pick<World, 'foreignTimeMs' | 'nowMs'>): Promise<Finding> {
  try {
    const seconds = Math.round((world.nowMs() - (await world.foreignTimeMs())) / 1000)
    if (Math.abs(seconds) <= MOST_SECONDS_OFF) return ok('clock', `at most ${MOST_SECONDS_OFF} s off`)
    const says = `${Math.abs(seconds)} s ${seconds > 0 ? 'fast' : 'slow'}: certificates and keys expire at the wrong time`
    return fail('clock', says, SET_CLOCK)
  } catch (error) {
    return warn('clock', `not compared: ${reasonOf(error)}`, LATER)
  }
}

/** systemd knows whether somebody keeps it. In a container there is none, and the clock is the machine's. */
async function asKept(now: string, { run }: Pick<World, 'run'>): Promise<Finding> {
  const question = ['show', '--property=NTPSynchronized', '--value']
  const kept = await run('timedatectl', question).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  )
  if (kept === 'no') return warn('clock', `${now} UTC, and nobody keeps it`, SET_CLOCK)
  return ok('clock', `${now} UTC, ${kept === 'yes' ? 'kept over the network' : 'not compared with others'}`)
}

/** `seen` is the address that others see; undefined: nobody was asked, or nobody answered. */
export async function checkName(
  site: Site,
  seen: string | undefined,
  { resolve }: Pick<World, 'resolve'>,
): Promise<Finding> {
  const { host } = site
  if (isIP(host) !== 0) return judgeAddresses(site, [host], seen)
  try {
    return judgeAddresses(site, await resolve(host), seen)
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

function judgeAddresses(
  { host, isPrivate, isBehindProxy }: Site,
  addresses: readonly string[],
  seen: string | undefined,
): Finding {
  const says = isIP(host) === 0 ? `${host} is ${addresses.join(', ')}` : `SITE_ADDRESS is ${host}`
  const isInside = addresses.every((address) => PRIVATE.has(address) || SHARED.has(address))
  if (isPrivate && isInside) return ok('name', `${says}, which only this network can reach, and is to`)
  if (isBehindProxy) return ok('name', `${says}; the way leads over whoever is in front of us`)
  if (seen === undefined) {
    return isInside
      ? warn(
          'name',
          `${says}, which only this network can reach`,
          'a public address, where others are to reach it; otherwise CADDY_TLS=internal',
        )
      : ok('name', says)
  }
  if (addresses.includes(seen)) return ok('name', `${says}, as others see us`)
  const isComparable = addresses.some((address) => isIP(address) === isIP(seen))
  const mend = `set the A record of ${host} to ${seen}`
  if (!isComparable) return warn('name', `${says}, which nobody without IPv6 can reach`, mend)
  return fail('name', `${says}, and others see us as ${seen}`, mend)
}

export async function checkPorts(
  { host, httpPort, httpsPort }: Door,
  { isBehindProxy }: Pick<Site, 'isBehindProxy'>,
  { connects }: Pick<World, 'connects'>,
): Promise<Finding> {
  const ports = isBehindProxy ? [httpPort] : [httpPort, httpsPort]
  const isContainer = host === 'caddy'
  const where = isContainer ? 'in the container caddy' : 'on this machine'
  const open = await Promise.all(ports.map((port) => connects(host, port)))
  const closed = ports.filter((_, index) => !open[index])
  if (closed.length > 0)
    return warn(
      'ports',
      `nobody listens on ${closed.join(' and ')} ${where}`,
      'docker compose up -d, for the server and Caddy; not needed with a tunnel',
    )
  const listening = `${ports.join(' and ')} ${ports.length > 1 ? 'listen' : 'listens'} ${where}`
  return ok(
    'ports',
    isContainer ? `${listening}; under which the machine has them: docker compose ps caddy` : listening,
  )
}

export async function checkRouter(
  seen: string | Error,
  isContainer: boolean,
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
  const whose = isContainer
    ? "which is not a container's own: the machine's, the router's or the provider's"
    : 'which is an address of the router, or of the provider'
  return warn(
    'router',
    `others see us as ${seen}, ${whose}`,
    `look at the router's own address: if it is ${seen}, forward 80 and 443; if not (CGNAT): ${tunnel}`,
  )
}

function isUnknownName(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOTFOUND', 'ENODATA'].includes(String(error.code))
}
