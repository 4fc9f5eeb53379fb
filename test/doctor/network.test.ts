// How the box is reached, for a world that is made up: no test asks the Internet.
import { expect, test } from 'vitest'
import { checkClock, checkName, checkPorts, checkRouter } from '../../src/doctor/network.ts'
import { doorOf, hostOf, siteOf } from '../../src/doctor/site.ts'
import { noSuchProgram, ran, rejecting } from './made-up-world.ts'

const HOST = 'stt.example.org'
const PUBLIC = '203.0.113.7'
const SITE = { host: HOST, isPrivate: false, isBehindProxy: false }
const BY_ADDRESS = { ...SITE, host: PUBLIC }
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
  const finding = await checkClock(true, {
    run: noSuchProgram,
    nowMs,
    foreignTimeMs: async () => nowMs() - aheadMs,
  })

  expect(finding).toMatchObject({ name: 'clock', state })
  expect(finding.says).toMatch(says)
})

test('without a network the clock is not compared', async () => {
  expect(
    await checkClock(true, { run: noSuchProgram, nowMs, foreignTimeMs: rejecting('no way') }),
  ).toMatchObject({
    state: 'warn',
    says: 'not compared: no way',
  })
})

test('a clock that nobody has set fails, and asks nobody', async () => {
  const world = { run: noSuchProgram, nowMs: () => 0, foreignTimeMs: rejecting('it was asked') }

  expect(await checkClock(true, world)).toMatchObject({
    state: 'fail',
    says: '1970-01-01 00:00 UTC, which is before this program was made',
  })
})

test.each([
  ['keeps it', ran('yes\n'), 'ok', /^2026-01-31 00:00 UTC, kept over the network$/],
  ['does not', ran('no\n'), 'warn', /nobody keeps it$/],
  ['is not there, as in a container', noSuchProgram, 'ok', /not compared with others$/],
])('without leave to ask others, systemd is asked, which %s', async (_what, run, state, says) => {
  const finding = await checkClock(false, { run, nowMs, foreignTimeMs: rejecting('it was asked') })

  expect(finding).toMatchObject({ name: 'clock', state })
  expect(finding.says).toMatch(says)
})

test.each([
  ['the address that others see', [PUBLIC, '2001:db8::1'], PUBLIC, 'ok'],
  ['another one', ['198.51.100.1'], PUBLIC, 'fail'],
  ['a public one, and nobody was asked', [PUBLIC], undefined, 'ok'],
  ['an IPv6 address only', ['2001:db8::1'], PUBLIC, 'warn'],
  ['one of the home network', ['192.168.1.7'], undefined, 'warn'],
])('a name that leads to %s is judged', async (_what, addresses, seen, state) => {
  expect(await checkName(SITE, seen, { resolve: async () => addresses })).toMatchObject({
    name: 'name',
    state,
  })
})

test('a name for this network may lead where only this network is', async () => {
  const resolve = async () => ['192.168.1.7']

  expect(await checkName({ ...SITE, isPrivate: true }, undefined, { resolve })).toMatchObject({ state: 'ok' })
  expect(await checkName({ ...SITE, isPrivate: true }, PUBLIC, { resolve })).toMatchObject({ state: 'ok' })
})

test('a name behind a proxy may lead to the proxy', async () => {
  const resolve = async () => ['198.51.100.1']

  expect(await checkName({ ...SITE, isBehindProxy: true }, PUBLIC, { resolve })).toMatchObject({
    state: 'ok',
    says: expect.stringContaining('whoever is in front of us'),
  })
})

test('an address instead of a name is compared as it is', async () => {
  const resolve = rejecting('it was looked up')

  expect(await checkName(BY_ADDRESS, PUBLIC, { resolve })).toMatchObject({ state: 'ok' })
  expect(await checkName({ ...SITE, host: '198.51.100.1' }, PUBLIC, { resolve })).toMatchObject({
    state: 'fail',
  })
})

test("a name server that does not answer is not the name's fault", async () => {
  const resolve = rejecting('The operation was aborted due to timeout')

  expect(await checkName(SITE, PUBLIC, { resolve })).toMatchObject({
    state: 'warn',
    says: `${HOST} could not be looked up: The operation was aborted due to timeout`,
  })
})

test('a name that nobody knows fails; where no name is known it is the network', async () => {
  const none = rejecting('getaddrinfo ENOTFOUND', 'ENOTFOUND')
  const others = async (name: string) => (name === HOST ? none() : ['192.0.2.1'])

  expect(await checkName(SITE, PUBLIC, { resolve: others })).toMatchObject({ state: 'fail' })
  expect(await checkName(SITE, PUBLIC, { resolve: none })).toMatchObject({ state: 'warn' })
})

const HERE = doorOf({}, false)

test('both ports are asked for, and those that nobody listens on are named', async () => {
  expect(await checkPorts(HERE, SITE, { connects: async () => true })).toMatchObject({
    state: 'ok',
    says: '80 and 443 listen on this machine',
  })
  expect(await checkPorts(HERE, SITE, { connects: async (_host, port) => port === 443 })).toMatchObject({
    state: 'warn',
    says: 'nobody listens on 80 on this machine',
  })
})

test('behind a proxy nobody has to listen on 443', async () => {
  const connects = async (_host: string, port: number) => port === 80

  expect(await checkPorts(HERE, { isBehindProxy: true }, { connects })).toMatchObject({
    state: 'ok',
    says: '80 listens on this machine',
  })
})

test("from inside a container it is Caddy's that is asked, and nothing is said of the machine's ports", async () => {
  const asked: string[] = []
  const connects = async (host: string) => asked.push(host) > 0
  const open = await checkPorts(doorOf({ HTTP_PORT: '8080' }, true), SITE, { connects })
  const closed = await checkPorts(doorOf({}, true), SITE, { connects: async () => false })

  expect(asked).toEqual(['caddy', 'caddy'])
  expect(open).toMatchObject({
    state: 'ok',
    says: '80 and 443 listen in the container caddy; under which the machine has them: docker compose ps caddy',
  })
  expect(closed).toMatchObject({
    state: 'warn',
    says: 'nobody listens on 80 and 443 in the container caddy',
  })
})

test.each([
  ['nothing', {}, undefined],
  ['a name', { SITE_ADDRESS: HOST }, [HOST, false, false]],
  ['a name for this network', { SITE_ADDRESS: HOST, CADDY_TLS: 'internal' }, [HOST, true, false]],
  ['localhost', { SITE_ADDRESS: 'localhost' }, ['localhost', true, false]],
  ['a name of mDNS', { SITE_ADDRESS: 'box.local' }, ['box.local', true, false]],
  ['an address of this network', { SITE_ADDRESS: '192.168.1.7' }, ['192.168.1.7', true, false]],
  ['a public address', { SITE_ADDRESS: PUBLIC, CADDY_TLS: 'ip' }, [PUBLIC, false, false]],
  ['plain HTTP', { SITE_ADDRESS: `http://${HOST}` }, [HOST, false, true]],
  ['a proxy in front', { SITE_ADDRESS: HOST, CADDY_TLS: 'off' }, [HOST, false, true]],
])('with %s, the site is understood', (_what, environment, site) => {
  const { host, isPrivate, isBehindProxy } = siteOf(environment) ?? {}

  expect(site === undefined ? siteOf(environment) : [host, isPrivate, isBehindProxy]).toEqual(site)
})

test.each([
  ['the usual ports', {}, false, '127.0.0.1 80 443'],
  ['a port of its own', { SITE_ADDRESS: `https://${HOST}:8443` }, false, '127.0.0.1 80 8443'],
  ['other ports of the machine', { HTTP_PORT: '8080', HTTPS_PORT: '8443' }, false, '127.0.0.1 8080 8443'],
  [
    'ports of the machine alone',
    { HTTP_PORT: '127.0.0.1:8080', HTTPS_PORT: '127.0.0.1:8443' },
    false,
    '127.0.0.1 8080 8443',
  ],
  ['ports of Caddy', { CADDY_HTTP_PORT: '8080', CADDY_HTTPS_PORT: '8443' }, true, 'caddy 8080 8443'],
  ["the machine's, inside", { HTTP_PORT: '8080', HTTPS_PORT: '8443' }, true, 'caddy 80 443'],
])('with %s, that is where Caddy is', (_what, environment, isContainer, expected) => {
  const { host, httpPort, httpsPort } = doorOf(environment, isContainer)

  expect(`${host} ${httpPort} ${httpsPort}`).toBe(expected)
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
  const finding = await checkRouter(seen, false, { ownAddresses: () => [{ card, address }] })

  expect(finding).toMatchObject({ name: 'router', state })
  expect(finding.says).toMatch(says)
})

test("in a container the address of its card is not taken for the machine's", async () => {
  const finding = await checkRouter(PUBLIC, true, {
    ownAddresses: () => [{ card: 'eth0', address: '172.18.0.3' }],
  })

  expect(finding).toMatchObject({ state: 'warn', says: expect.stringContaining("not a container's own") })
})
