/** Internet addresses and the networks they belong to. It does not know whose they are. */
import { BlockList, isIP, SocketAddress } from 'node:net'

/** `10.0.0.0/8`, `::1`, `192.168.1.7`. */
export function isNetwork(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/')
  const version = isIP(address)
  if (version === 0 || more.length > 0) return false
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bitsOf(version))
}

export class Networks {
  readonly #list = new BlockList()

  /** @param networks as `isNetwork` knows them. */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address = '', prefix] = network.split('/')
      const version = isIP(address)
      this.#list.addSubnet(
        address,
        prefix === undefined ? bitsOf(version) : Number(prefix),
        familyOf(version),
      )
    }
  }

  has(address: string): boolean {
    const version = isIP(address)
    return version !== 0 && this.#list.check(address, familyOf(version))
  }
}

/** As it is compared: an IPv4 address that came over an IPv6 socket is an IPv4 address. Undefined: it is none. */
export function plainAddress(text: string): string | undefined {
  const address = text.replace(/^::ffff:(?=\d+\.)/i, '')
  return isIP(address) === 0 ? undefined : address
}

/** What one subscriber has: an IPv4 address, or the 2^64 addresses of an IPv6 network. */
export function subscriberOf(address: string): string {
  if (isIP(address) !== 6) return address
  const { address: short } = new SocketAddress({ address: address.replace(/%.*$/, ''), family: 'ipv6' })
  const [head = '', tail] = short.split('::')
  const before = head.split(':').filter(Boolean)
  const after = (tail ?? '').split(':').filter(Boolean)
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length
  const groups = [...before, ...Array.from({ length: zeros }, () => '0'), ...after]
  return `${groups.slice(0, 4).join(':')}::/64`
}

function bitsOf(version: number): number {
  return version === 6 ? 128 : 32
}

function familyOf(version: number): 'ipv4' | 'ipv6' {
  return version === 6 ? 'ipv6' : 'ipv4'
}
