// The certificate that Caddy shows, for one that is made up: good, not good any more, and good for somebody else.
import { expect, test } from 'vitest'
import { checkCertificate } from '../../src/doctor/certificate.ts'
import type { Certificate } from '../../src/doctor/world.ts'
import { rejecting } from './made-up-world.ts'

const DAY_MS = 86_400_000
const nowMs = () => Date.UTC(2026, 0, 31)
const SITE = { host: 'stt.example.org', isPrivate: false, isBehindProxy: false }
const DOOR = { host: 'caddy', httpPort: 80, httpsPort: 443 } as const

function shown(change: Partial<Certificate> & { daysLeft?: number }): Certificate {
  const { daysLeft = 60, ...rest } = change
  const validTo = new Date(nowMs() + daysLeft * DAY_MS)
  const validFrom = new Date(validTo.getTime() - 90 * DAY_MS)
  return { validFrom, validTo, problem: undefined, names: 'DNS:stt.example.org', isForName: true, ...rest }
}

test.each([
  ['with weeks left', {}, 'ok', /good until 2026-04-01/],
  ['whose renewal is overdue', { daysLeft: 10 }, 'warn', /should have been renewed/],
  ['that has expired', { daysLeft: -1, problem: 'CERT_HAS_EXPIRED' }, 'fail', /expired/],
  ['that is not good yet', { validFrom: new Date(nowMs() + DAY_MS) }, 'fail', /the clock is slow/],
  ['of an authority that is not known here', { problem: 'SELF_SIGNED_CERT_IN_CHAIN' }, 'warn', /SELF_SIGNED/],
  ['that was revoked', { problem: 'CERT_REVOKED' }, 'fail', /REVOKED/],
  [
    'of another name',
    { isForName: false, names: 'DNS:other.example.org' },
    'fail',
    /not for stt.example.org but for DNS:other/,
  ],
])('a certificate %s is judged', async (_what, change, state, says) => {
  const finding = await checkCertificate(SITE, DOOR, { nowMs, certificate: async () => shown(change) })

  expect(finding).toMatchObject({ name: 'certificate', state })
  expect(finding.says).toMatch(says)
})

test("Caddy's own authority is no failure where that is what was asked for", async () => {
  const certificate = async () => shown({ problem: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY' })
  const site = { ...SITE, isPrivate: true }

  expect(await checkCertificate(site, DOOR, { nowMs, certificate })).toMatchObject({
    state: 'ok',
    says: expect.stringContaining('clients need its root certificate'),
  })
})

test('it is asked of Caddy itself, by the name of the site', async () => {
  const asked: unknown[] = []
  const certificate = async (...question: unknown[]) => {
    asked.push(...question)
    return shown({})
  }
  await checkCertificate(SITE, { ...DOOR, httpsPort: 8443 }, { nowMs, certificate })

  expect(asked).toEqual([{ host: 'caddy', port: 8443 }, 'stt.example.org'])
})

test('a Caddy that has no certificate for the name fails, in words that one can read', async () => {
  const alert = 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR'
  const certificate = rejecting('40DD:error:0A000438:SSL routines:ssl3_read_bytes', alert)

  expect(await checkCertificate(SITE, DOOR, { nowMs, certificate })).toMatchObject({
    state: 'fail',
    says: `Caddy listens at caddy:443, and has none for stt.example.org (${alert})`,
  })
})

test('a Caddy that does not answer proves nothing', async () => {
  const certificate = rejecting('connect ECONNREFUSED')

  expect(await checkCertificate(SITE, DOOR, { nowMs, certificate })).toMatchObject({
    state: 'warn',
    says: 'Caddy shows none at caddy:443: connect ECONNREFUSED',
  })
})
