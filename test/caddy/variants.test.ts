/** The four ways to be reached: that both Caddys take each, and what each does that the others do not. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fetch } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { adapted, CADDIES, NEW_CADDY, OLD_CADDY, startCaddy, validate } from './caddy.ts'
import { startStandIn } from './stand-in.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'caddy-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

const VARIANTS = [
  { CADDY_TLS: 'domain' },
  { CADDY_TLS: 'domain', SITE_ADDRESS: 'stt.example.org', ACME_EMAIL: 'me@example.org' },
  { CADDY_TLS: 'domain', SITE_ADDRESS: 'me.duckdns.org', ACME_EMAIL: '' },
  { CADDY_TLS: 'domain', SITE_ADDRESS: 'stt.example.org, me.duckdns.org' },
  { CADDY_TLS: 'internal', SITE_ADDRESS: '192.168.1.20' },
  { CADDY_TLS: 'internal', SITE_ADDRESS: 'box.lan', UPSTREAMS: 'server:8000 server-2:8000' },
  { CADDY_TLS: 'off' },
  { CADDY_TLS: 'off', PROXIES_IN_FRONT: '10.0.0.0/8 fd00::/8' },
] as const

describe.each(CADDIES)('$name', (program) => {
  test.each(VARIANTS)('takes %o', (settings) => {
    expect(validate(program, settings, directory)).toBe('')
  })

  test('does not start with a way that there is not', () => {
    expect(validate(program, { CADDY_TLS: 'letsencrypt' }, directory)).toContain('letsencrypt.caddy')
  })

  test('asks every upstream that it is told of', () => {
    const upstreams = JSON.stringify(adapted(program, { UPSTREAMS: 'a:1 b:2 c:3' }, directory))

    expect([...upstreams.matchAll(/"dial":"([^"]+)"/g)].map(([, dial]) => dial)).toEqual([
      'a:1',
      'b:2',
      'c:3',
    ])
  })
})

test('an address gets a short-lived certificate, and clients that name no host get it too', () => {
  const settings = { CADDY_TLS: 'ip', SITE_ADDRESS: '203.0.113.7' }

  expect(validate(NEW_CADDY, settings, directory)).toBe('')
  expect(validate(OLD_CADDY, settings, directory)).toContain('unrecognized ACME issuer property: profile')
  expect(adapted(NEW_CADDY, settings, directory)).toMatchObject({
    apps: {
      http: {
        servers: {
          srv0: {
            tls_connection_policies: expect.arrayContaining([{ default_sni: '203.0.113.7' }]) as unknown,
          },
        },
      },
      tls: {
        automation: {
          policies: [{ subjects: ['203.0.113.7'], issuers: [{ module: 'acme', profile: 'shortlived' }] }],
        },
      },
    },
  })
})

test('a name is told to browsers as one for HTTPS alone, localhost and an address are not', () => {
  const policyOf = (settings: Record<string, string>) =>
    JSON.stringify(adapted(NEW_CADDY, settings, directory))

  expect(policyOf({ CADDY_TLS: 'domain' })).toContain('{"not":[{"host":["localhost","*.localhost"]}]}')
  expect(policyOf({ CADDY_TLS: 'domain' })).toContain('"Strict-Transport-Security":["max-age=2592000"]')
  for (const CADDY_TLS of ['ip', 'internal', 'off']) {
    expect(policyOf({ CADDY_TLS })).not.toContain('Strict-Transport-Security')
  }
})

describe.each(CADDIES)('behind $name', (program) => {
  test('an address of one’s own network is served to clients that name no host, and trust the root', async () => {
    await using server = await startStandIn()
    await using caddy = await startCaddy(program, { SITE_ADDRESS: '127.0.0.1', UPSTREAMS: server.upstream })

    expect((await fetch(`${caddy.url}/health`, { dispatcher: caddy.agent })).status).toBe(200)
    await expect(fetch(`${caddy.url}/health`)).rejects.toMatchObject({
      cause: { code: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY' },
    })
  })

  test('localhost gets a certificate without anybody’s help, and no policy that would hold for all of localhost', async () => {
    await using server = await startStandIn()
    await using caddy = await startCaddy(program, { CADDY_TLS: 'domain', UPSTREAMS: server.upstream })

    const answer = await fetch(`${caddy.url}/health`, { dispatcher: caddy.agent })

    expect(answer.status).toBe(200)
    expect(answer.headers.has('strict-transport-security')).toBe(false)
  })

  test('without TLS the proxy in front is believed whom a request is from, and what came with it before is not', async () => {
    const proxies = { TRUSTED_PROXIES: '127.0.0.0/8, ::1', MAX_REQUESTS_PER_MINUTE: '1' }
    await using server = await startStandIn(proxies)
    await using caddy = await startCaddy(program, {
      CADDY_TLS: 'off',
      SITE_ADDRESS: '127.0.0.1',
      UPSTREAMS: server.upstream,
    })
    const statusFor = async (forwarded: string) => {
      const headers = { 'x-forwarded-for': forwarded, 'x-forwarded-proto': 'https' }
      const body = new URLSearchParams({ model: 'whisper-1' })
      return (await fetch(`${caddy.url}/v1/audio/transcriptions`, { method: 'POST', headers, body })).status
    }

    const first = await statusFor('203.0.113.1')
    const other = await statusFor('203.0.113.2')
    const again = await statusFor('203.0.113.1')
    const disguised = await statusFor('203.0.113.9, 203.0.113.1')

    expect([first, other].includes(429)).toBe(false)
    expect([again, disguised]).toEqual([429, 429])
  })
})
