// Which addresses are public, and which of the others a setting allows.
import { expect, test } from 'vitest'
import { Reachable } from '../../src/fetching/reachable.ts'

const NOTHING_MORE = new Reachable({ allowedNetworks: [], ports: [80, 443] })

test.each([
  ['0.0.0.0', 'this machine'],
  ['10.1.2.3', 'a private network'],
  ['100.64.0.1', 'carrier-grade NAT'],
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback, all of it'],
  ['169.254.169.254', 'the metadata of clouds'],
  ['172.16.0.1', 'a private network'],
  ['172.31.255.255', 'a private network'],
  ['192.168.0.1', 'a private network'],
  ['192.0.0.8', 'for protocols'],
  ['192.0.2.1', 'for documentation'],
  ['192.88.99.1', '6to4 relays'],
  ['198.18.0.1', 'benchmarks'],
  ['224.0.0.1', 'multicast'],
  ['240.0.0.1', 'reserved'],
  ['255.255.255.255', 'broadcast'],
  ['::', 'this machine'],
  ['::1', 'loopback'],
  ['::ffff:127.0.0.1', 'loopback, mapped'],
  ['::ffff:7f00:1', 'loopback, mapped, in hexadecimal'],
  ['::ffff:10.0.0.1', 'a private network, mapped'],
  ['::127.0.0.1', 'loopback as IPv6 once wrote it'],
  ['64:ff9b::7f00:1', 'loopback behind NAT64'],
  ['64:ff9b::a9fe:a9fe', 'the metadata of clouds behind NAT64'],
  ['64:ff9b:1::1', 'local NAT64'],
  ['2002:7f00:1::', 'loopback behind 6to4'],
  ['2001:0:1::1', 'Teredo'],
  ['2001:db8::1', 'for documentation'],
  ['fc00::1', 'unique local'],
  ['fd12:3456::1', 'unique local'],
  ['fe80::1', 'link local'],
  ['fe80::1%eth0', 'link local, with its link'],
  ['fec0::1', 'site local'],
  ['ff02::1', 'multicast'],
  ['4000::1', 'given to nobody yet'],
  ['not an address', 'none'],
  ['', 'none'],
])('%s is not fetched from: %s', (address) => {
  expect(NOTHING_MORE.refusal(address, 80)).toBe('it leads to an address that is not public')
})

test.each([
  '8.8.8.8',
  '1.1.1.1',
  '172.32.0.1',
  '100.128.0.1',
  '2606:4700:4700::1111',
  '2a01:4f8::1',
  '::ffff:8.8.8.8',
])('%s is public', (address) => {
  expect(NOTHING_MORE.refusal(address, 80)).toBeUndefined()
  expect(NOTHING_MORE.refusal(address, 443)).toBeUndefined()
})

test('of a public address only the ports of the web are fetched from', () => {
  expect(NOTHING_MORE.refusal('8.8.8.8', 22)).toBe('port 22 is not one of 80, 443')
})

test('a network that is allowed is allowed at any port, and nothing beside it', () => {
  const reachable = new Reachable({ allowedNetworks: ['10.1.0.0/16', '::1', 'fd12::/16'], ports: [80] })

  expect(reachable.refusal('10.1.2.3', 9000)).toBeUndefined()
  expect(reachable.refusal('::ffff:10.1.2.3', 9000)).toBeUndefined()
  expect(reachable.refusal('::1', 1)).toBeUndefined()
  expect(reachable.refusal('fd12::7', 1)).toBeUndefined()
  expect(reachable.refusal('10.2.0.1', 80)).toBe('it leads to an address that is not public')
  expect(reachable.refusal('127.0.0.1', 80)).toBe('it leads to an address that is not public')
})
