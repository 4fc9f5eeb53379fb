/**
 * Whole servers behind one Caddy, as UPSTREAMS has them: what their clients notice when one is killed. Debian's old Caddy
 * also loses bodies that meet the dead one before it has been marked; docs/scaling.md says so.
 */
import { expect, test } from 'vitest'
import { keepAsking } from '../distributed/clients.ts'
import { metricOf, startServer, temporaryDirectory } from '../distributed/servers.ts'
import { plainWords, truthOf } from '../end-to-end/server.ts'
import { NEW_CADDY, startCaddy } from './caddy.ts'

const CLIENTS = 4

test('behind a Caddy requests go to both servers; when one is killed, nobody but those it worked for notices', {
  timeout: 180_000,
}, async () => {
  const start = async () => startServer(await temporaryDirectory(), { JOIN_RETRIES: 'off' })
  const [victim, survivor] = await Promise.all([start(), start()])
  const heardBy = (server: typeof victim) => metricOf(server, 'hviske_recordings_total')
  const upstreams = [victim, survivor].map(({ url }) => new URL(url).host).join(' ')
  await using caddy = await startCaddy(NEW_CADDY, { CADDY_TLS: 'off', UPSTREAMS: upstreams })

  const clients = keepAsking(caddy, CLIENTS)
  await expect.poll(() => heardBy(victim), { timeout: 60_000 }).toBeGreaterThan(3)
  await expect.poll(() => heardBy(survivor), { timeout: 60_000 }).toBeGreaterThan(3)
  await victim.kill('SIGKILL')
  const before = await heardBy(survivor)
  await clients.answered(5 * CLIENTS)
  const { texts, refusals } = await clients.leave()

  expect(refusals.length).toBeLessThanOrEqual(CLIENTS)
  for (const refusal of refusals) expect(refusal).toMatch(/^502 .*"code":"server_unreachable"/)
  const truth = plainWords((await truthOf('da')).text)
  for (const text of texts) expect(plainWords(text)).toEqual(truth)
  expect(await heardBy(survivor)).toBeGreaterThan(before)
})
