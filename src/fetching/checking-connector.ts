/**
 * Connections to addresses that have been checked, and to no others: a name is looked up once, and the very address that was
 * looked at is the one that is connected to. So no second answer of the DNS can lead elsewhere.
 */
import { isIP, type Socket } from 'node:net'
import { buildConnector } from 'undici'
import { Failure } from '../failure.ts'
import { until } from '../until.ts'
import type { FetchLimits } from './fetch-limits.ts'
import { notAllowed, unreachable } from './refusals.ts'

/** A name with more of them is not fetched from more often. */
const MOST_ADDRESSES = 4

type Options = Parameters<buildConnector.connector>[0]

/** @param signal ends a connection that is still being made. */
export function checkingConnector(limits: FetchLimits, signal: AbortSignal): buildConnector.connector {
  // HTTP/1.1 alone: what is known of its limits has been tried out, what HTTP/2 allows besides has not.
  const connect = buildConnector({ timeout: limits.connectMs, allowH2: false, signal })
  return (options, callback) => {
    const within = AbortSignal.any([signal, AbortSignal.timeout(limits.connectMs)])
    connectChecked(options, { limits, connect, within }).then(
      (socket) => callback(null, socket),
      (error: unknown) => callback(worded(error), null),
    )
  }
}

interface Connecting {
  readonly limits: FetchLimits
  readonly connect: buildConnector.connector
  readonly within: AbortSignal
}

async function connectChecked(options: Options, { limits, connect, within }: Connecting): Promise<Socket> {
  const addresses = await until(allowedAddresses(options, limits), within)
  let failed: unknown
  for (const address of addresses.slice(0, MOST_ADDRESSES)) {
    try {
      return await until(connectTo(connect, { ...options, hostname: address }, within), within)
    } catch (error) {
      failed = error
      if (within.aborted) break
    }
  }
  throw failed
}

type Target = Pick<Options, 'protocol' | 'hostname' | 'port'>

/** @throws Failure url_not_allowed, url_unreachable */
export async function allowedAddresses(
  target: Target,
  { reachable, resolve }: Pick<FetchLimits, 'reachable' | 'resolve'>,
): Promise<string[]> {
  const port = Number(target.port || (target.protocol === 'https:' ? 443 : 80))
  const hostname = target.hostname.replace(/^\[(.*)\]$/, '$1')
  // A literal is not looked up by anybody, and has to be checked all the same.
  const found = isIP(hostname) === 0 ? await lookUp(hostname, resolve) : [hostname]
  const allowed = found.filter((address) => reachable.refusal(address, port) === undefined)
  if (allowed.length > 0) return allowed
  throw notAllowed(reachable.refusal(found[0] ?? '', port) ?? 'its name has no address')
}

async function lookUp(hostname: string, resolve: FetchLimits['resolve']): Promise<readonly string[]> {
  try {
    const found = await resolve(hostname)
    if (found.length > 0) return found
  } catch (cause) {
    throw unreachable(`the name ${JSON.stringify(hostname)} could not be looked up`, cause)
  }
  throw unreachable(`the name ${JSON.stringify(hostname)} has no address`)
}

/** Its end is ours even when nobody waits for it any more. */
function connectTo(
  connect: buildConnector.connector,
  options: Options,
  within: AbortSignal,
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  connect(options, (error, socket) => {
    // Its types say null where it leaves the socket out.
    if (!socket) return reject(error)
    if (within.aborted) socket.destroy()
    resolve(socket)
  })
  promise.catch(() => {})
  return promise
}

/** What the system, TLS or a timer says has a code; what has none is a bug, and stays one. */
function worded(error: unknown): Error {
  if (!(error instanceof Error)) return new Error('no connection', { cause: error })
  return error instanceof Failure || !('code' in error)
    ? error
    : unreachable('no connection could be made', error)
}
