// How the box is reached, for a world that is made up: no test asks the Internet.
import { expect, test } from 'vitest'
import {
  checkCertificate,
  checkClock,
  checkName,
  checkPorts,
  checkRouter,
  hostOf,
} from '../../src/doctor/network.ts'
import { rejecting } from './made-up-world.ts'

const HOST = 'stt.example.org'
const PUBLIC = '203.0.113.7'
const DAY_MS = 86_400_000
const nowMs = () => Date.UTC(2026, 0, 31)

test.each([
  ['stt.example.org', 'stt.example.org'],
  ['https://stt.example.org:8443, www.example.org', 'stt.example.org'],
  ['203.0.113.7', '203.0.113.7'],
  ['[2001:db8::1]:443', '2001:db8::1'],
  ['2001:db8::1', '2001:db8::1'],
  [':80', undefined],
  ['http://', undefined],
  ['', undefined],
])('SITE_ADDRESS=%s names %s', (siteAddress, host) => {
  expect(hostOf(siteAddress)).toBe(host)
})

test.each([
  [0, 'ok', /^at most 30 s/],
  [29_000, 'ok', /^at most 30 s/],
  [90_000, 'fail', /^90 s fast/],
  [-90_000, 'fail', /^90 s slow/],
])('a clock that is %d ms ahead is %s and told', async (aheadMs, state, says) => {
  const finding = await checkClock({ nowMs, foreignTimeMs: async () => nowMs() - aheadMs })

  expect(finding).toMatchObject({ name: 'clock', state })
  expect(finding.says).toMatch(says)
})

test('without a network the clock is not compared', async () => {
  expect(await checkClock({ nowMs, foreignTimeMs: rejecting('no way') })).toMatchObject({
    state: 'warn',
    says: 'not compared: no way',
  })
})

test.each([
  ['the address that others see', [PUBLIC, '2001:db8::1'], PUBLIC, 'ok'],
  ['another one', ['198.51.100.1'], PUBLIC, 'fail'],
  ['a public one, and nobody was asked', [PUBLIC], undefined, 'ok'],
  ['an IPv6 address only', ['2001:db8::1'], PUBLIC, 'warn'],
  ['one of the home network', ['192.168.1.7'], undefined, 'warn'],
])('a name that leads to %s is judged', async (_what, addresses, seen, state) => {
  expect(await checkName(HOST, seen, { resolve: async () => addresses })).toMatchObject({
    name: 'name',
    state,
  })
})

test('an address instead of a name is compared as it is', async () => {
  const resolve = rejecting('it was looked up')

  expect(await checkName(PUBLIC, PUBLIC, { resolve })).toMatchObject({ state: 'ok' })
  expect(await checkName('198.51.100.1', PUBLIC, { resolve })).toMatchObject({ state: 'fail' })
})

test("a name server that does not answer is not the name's fault", async () => {
  const resolve = rejecting('The operation was aborted due to timeout')

  expect(await checkName(HOST, PUBLIC, { resolve })).toMatchObject({
    state: 'warn',
    says: `${HOST} could not be looked up: The operation was aborted due to timeout`,
  })
})

test('a name that nobody knows fails; where no name is known it is the network', async () => {
  const none = rejecting('getaddrinfo ENOTFOUND', 'ENOTFOUND')
  const others = async (name: string) => (name === HOST ? none() : ['192.0.2.1'])

  expect(await checkName(HOST, PUBLIC, { resolve: others })).toMatchObject({ state: 'fail' })
  expect(await checkName(HOST, PUBLIC, { resolve: none })).toMatchObject({ state: 'warn' })
})

test('both ports are asked for, and those that nobody listens on are named', async () => {
  expect(await checkPorts({ connects: async () => true })).toMatchObject({ state: 'ok' })
  expect(await checkPorts({ connects: async (_host, port) => port === 443 })).toMatchObject({
    state: 'warn',
    says: 'nobody listens on 80 of this machine',
  })
})

test.each([
  ['a machine with its own public address', 'eth0', PUBLIC, PUBLIC, 'ok', /own address/],
  ['a machine behind a router', 'eth0', '192.168.1.7', PUBLIC, 'warn', /address of the router/],
  ['a machine whose provider shares addresses', 'wwan0', '100.72.1.1', PUBLIC, 'warn', /CGNAT/],
  [
    'the same range on Tailscale, which is no such thing',
    'tailscale0',
    '100.72.1.1',
    PUBLIC,
    'warn',
    /of the router/,
  ],
  ['nobody who tells', 'eth0', '192.168.1.7', new Error('no way'), 'warn', /no way/],
])('%s: the way in is judged', async (_what, card, address, seen, state, says) => {
  const finding = await checkRouter(seen, { ownAddresses: () => [{ card, address }] })

  expect(finding).toMatchObject({ name: 'router', state })
  expect(finding.says).toMatch(says)
})

test.each([
  ['with weeks left', 60, undefined, 'ok', /good until 2026-04-01/],
  ['whose renewal is overdue', 10, undefined, 'warn', /should have been renewed/],
  ['that has expired', -1, 'CERT_HAS_EXPIRED', 'fail', /expired/],
  ['of an authority that is not known here', 60, 'SELF_SIGNED_CERT_IN_CHAIN', 'warn', /SELF_SIGNED/],
  ['of another name', 60, 'ERR_TLS_CERT_ALTNAME_INVALID', 'fail', /ALTNAME/],
])('a certificate %s is judged', async (_what, daysLeft, problem, state, says) => {
  const validTo = new Date(nowMs() + daysLeft * DAY_MS)
  const validFrom = new Date(validTo.getTime() - 90 * DAY_MS)
  const finding = await checkCertificate(HOST, {
    nowMs,
    certificate: async () => ({ validFrom, validTo, problem }),
  })

  expect(finding).toMatchObject({ name: 'certificate', state })
  expect(finding.says).toMatch(says)
})

test('a certificate that cannot be looked at from here proves nothing', async () => {
  const finding = await checkCertificate(HOST, { nowMs, certificate: rejecting('connect ECONNREFUSED') })

  expect(finding).toMatchObject({ state: 'warn', says: expect.stringContaining('ECONNREFUSED') })
})
