import { expect, test } from 'vitest'
import { isNetwork, Networks, plainAddress, subscriberOf } from '../src/networks.ts'

test.each(['10.0.0.0/8', '192.168.1.7', '::1', 'fd00::/8', '0.0.0.0/0', '1.2.3.4/32', '::/128'])(
  '%s is a network',
  (text) => {
    expect(isNetwork(text)).toBe(true)
  },
)

test.each([
  '',
  'caddy',
  '10.0.0.0/33',
  '10.0.0.0/',
  '10.0.0/8',
  '::1/129',
  '10.0.0.0/8/8',
  '10.0.0.0/-1',
  '10.0.0.0/1e1',
])('%s is none', (text) => {
  expect(isNetwork(text)).toBe(false)
})

test.each([
  ['10.255.0.1', true],
  ['11.0.0.1', false],
  ['::1', true],
  ['::2', false],
  ['fd12::7', true],
  ['192.168.1.7', true],
  ['192.168.1.8', false],
  ['unknown', false],
  ['', false],
])('%s belongs to them: %s', (address, belongs) => {
  expect(new Networks(['10.0.0.0/8', '::1', 'fd00::/8', '192.168.1.7']).has(address)).toBe(belongs)
})

test.each([
  ['::ffff:127.0.0.1', '127.0.0.1'],
  ['::FFFF:10.0.0.1', '10.0.0.1'],
  ['::1', '::1'],
  ['1.2.3.4', '1.2.3.4'],
  ['1.2.3.4:5678', undefined],
  ['unknown', undefined],
  ['', undefined],
])('%s is %s', (text, address) => {
  expect(plainAddress(text)).toBe(address)
})

test.each([
  ['1.2.3.4', '1.2.3.4'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['unknown', 'unknown'],
])('whoever has %s has %s', (address, subscriber) => {
  expect(subscriberOf(address)).toBe(subscriber)
})
