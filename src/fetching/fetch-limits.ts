/** What fetching may take, in bytes, seconds and hops, and where it may go. */
import { lookup } from 'node:dns/promises'
import type { DiskRoom } from '../upload/disk-room.ts'
import { Reachable, type ReachableSettings } from './reachable.ts'

export interface FetchLimits {
  readonly reachable: Reachable
  /** The addresses of a name, in the order in which they are tried. */
  readonly resolve: (hostname: string) => Promise<readonly string[]>
  readonly maxBytes: number
  readonly disk: DiskRoom
  /** Until a connection is there, its name looked up and its encryption agreed upon. */
  readonly connectMs: number
  /** From then on until the headers are there. */
  readonly headersMs: number
  /** Next to nothing comes in that time: it has broken off, or only keeps us waiting. */
  readonly idleMs: number
  /** All of it, redirects included. */
  readonly totalMs: number
}

interface FetchSettings extends ReachableSettings {
  readonly maxBytes: number
  readonly disk: DiskRoom
  readonly totalSeconds: number
}

export function fetchLimitsOf({ maxBytes, disk, totalSeconds, ...settings }: FetchSettings): FetchLimits {
  return {
    reachable: new Reachable(settings),
    resolve: addressesOf,
    maxBytes,
    disk,
    connectMs: 5000,
    headersMs: 10_000,
    idleMs: 30_000,
    totalMs: totalSeconds * 1000,
  }
}

/** As the machine itself does it: names of `/etc/hosts` and of container networks are for those who allow their networks. */
async function addressesOf(hostname: string): Promise<readonly string[]> {
  const found = await lookup(hostname, { all: true })
  return found.map(({ address }) => address)
}
