/** The network as it is, seen from this machine. Nothing here judges, and nothing waits without end. */
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { connect, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { checkServerIdentity, connect as connectTls } from 'node:tls'
import { until } from '../until.ts'
import type { Certificate, OwnAddress, World } from './world.ts'

const NETWORK_MS = 2000
/** Either says which IPv4 address a request came from, and nothing else. */
const ADDRESS_TELLERS = ['https://api.ipify.org', 'https://ipv4.icanhazip.com']
/** Where models come from: whoever may ask anybody may ask there. */
const CLOCK = 'https://huggingface.co'

type Network = Pick<World, 'resolve' | 'ownAddresses' | 'connects' | 'certificate' | 'foreignTimeMs'>

export function thisNetwork(): Network {
  return { resolve: addressesOf, ownAddresses, connects, certificate, foreignTimeMs }
}

/** The system's own way of asking has no deadline, and waits long for name servers that do not answer. */
async function addressesOf(name: string): Promise<string[]> {
  const found = await until(lookup(name, { all: true }), AbortSignal.timeout(NETWORK_MS))
  return found.map(({ address }) => address)
}

function ownAddresses(): OwnAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([card, addresses = []]) =>
    addresses.map(({ address }) => ({ card, address })),
  )
}

async function connects(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(NETWORK_MS) })
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

async function certificate(at: { host: string; port: number }, name: string): Promise<Certificate> {
  const asked = isIP(name) === 0 ? { servername: name } : {}
  // Looked at, not trusted: nothing is sent over it. The name is checked below, whoever vouches for it.
  const seeing = { rejectUnauthorized: false, checkServerIdentity: () => undefined }
  const socket = connectTls({ ...at, ...asked, ...seeing })
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(NETWORK_MS) })
    const shown = socket.getPeerCertificate()
    return {
      validFrom: new Date(shown.valid_from),
      validTo: new Date(shown.valid_to),
      problem: socket.authorized ? undefined : String(socket.authorizationError),
      names: shown.subjectaltname ?? '',
      isForName: checkServerIdentity(name, shown) === undefined,
    }
  } finally {
    socket.destroy()
  }
}

export function publicAddress(): Promise<string> {
  return Promise.any(ADDRESS_TELLERS.map(addressToldBy))
}

async function addressToldBy(url: string): Promise<string> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(NETWORK_MS) })
  const text = (await answer.text()).trim()
  if (isIP(text) === 0) throw new Error(`${url} told no address`)
  return text
}

async function foreignTimeMs(): Promise<number> {
  const { headers } = await fetch(CLOCK, { method: 'HEAD', signal: AbortSignal.timeout(NETWORK_MS) })
  const time = Date.parse(headers.get('date') ?? '')
  if (Number.isNaN(time)) throw new Error(`${CLOCK} told no time`)
  return time
}
