/** Which addresses of the internet may be fetched from, whatever name led there. Names and URLs are not its business. */
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { Networks, plainAddress } from '../networks.ts'

/** What IANA gives to everybody who is given an IPv6 address; outside of it ipaddr.js calls some things unicast that lead home. */
const GLOBAL_UNICAST = new Networks(['2000::/3'])

export interface ReachableSettings {
  /** Addresses and networks that may be fetched from though they are not public; there, at any port. */
  readonly allowedNetworks: readonly string[]
  /** Of everything else. */
  readonly ports: readonly number[]
}

export class Reachable {
  readonly #allowed: Networks
  readonly #ports: ReadonlySet<number>

  constructor({ allowedNetworks, ports }: ReachableSettings) {
    this.#allowed = new Networks(allowedNetworks)
    this.#ports = new Set(ports)
  }

  /** @returns why not; undefined when it may be fetched from. */
  refusal(address: string, port: number): string | undefined {
    if (this.#allowed.has(plainAddress(address) ?? address)) return undefined
    if (!isPublic(address)) return 'it leads to an address that is not public'
    if (!this.#ports.has(port)) return `port ${port} is not one of ${[...this.#ports].join(', ')}`
    return undefined
  }
}

/** Also an IPv4 address in the clothes of IPv6 is what it is: mapped, translated (NAT64) or tunnelled. */
function isPublic(address: string): boolean {
  if (isIP(address) === 0) return false
  const range = ipaddr.process(address).range()
  return range === 'unicast' && (isIP(plainAddress(address) ?? '') === 4 || GLOBAL_UNICAST.has(address))
}
