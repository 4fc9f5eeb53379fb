/** The certificate that Caddy shows for our name: asked of Caddy itself, since many routers do not lead one's own address back inside. */
import { type Finding, fail, ok, reasonOf, warn } from './finding.ts'
import type { Door, Site } from './site.ts'
import type { Certificate, World } from './world.ts'

/** What Caddy's own authority (`tls internal`) looks like to whoever does not know it. */
const UNKNOWN_AUTHORITY = /SELF_SIGNED|ISSUER|VERIFY_LEAF/
/** Caddy renews with a third of the lifetime left. */
const RENEWAL_OVERDUE = 0.2
const LOGS = 'docker compose logs caddy, which says why there is no better one'

export async function checkCertificate(
  site: Site,
  { host, httpsPort }: Door,
  { certificate, nowMs }: Pick<World, 'certificate' | 'nowMs'>,
): Promise<Finding> {
  try {
    return judge(site, await certificate({ host, port: httpsPort }, site.host), nowMs())
  } catch (error) {
    const alert = tlsAlertOf(error)
    if (alert !== undefined) {
      const says = `Caddy listens at ${host}:${httpsPort}, and has none for ${site.host} (${alert})`
      return fail('certificate', says, LOGS)
    }
    return warn(
      'certificate',
      `Caddy shows none at ${host}:${httpsPort}: ${reasonOf(error)}`,
      `docker compose up -d, then docker compose logs caddy; from another network: curl -v https://${site.host}/livez`,
    )
  }
}

/** OpenSSL's own words are for programmers. With a name that it has no certificate for, Caddy ends the handshake with an alert. */
function tlsAlertOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return code.startsWith('ERR_SSL_') ? code : undefined
}

function judge({ host, isPrivate }: Site, shown: Certificate, nowMs: number): Finding {
  const { validFrom, validTo, problem, names, isForName } = shown
  const says = `of ${host}, good until ${validTo.toISOString().slice(0, 16)}Z`
  if (!isForName) return fail('certificate', `it is not for ${host} but for ${names || 'nobody'}`, LOGS)
  const left = validTo.getTime() - nowMs
  if (left <= 0) return fail('certificate', `${says}: it has expired`, LOGS)
  if (validFrom.getTime() > nowMs)
    return fail('certificate', `${says}, and not yet: the clock is slow`, 'sudo timedatectl set-ntp true')
  const lifetime = validTo.getTime() - validFrom.getTime()
  if (left < lifetime * RENEWAL_OVERDUE)
    return warn('certificate', `${says}: it should have been renewed`, LOGS)
  if (problem === undefined) return ok('certificate', says)
  if (!UNKNOWN_AUTHORITY.test(problem))
    return fail('certificate', `${says}: clients refuse it (${problem})`, LOGS)
  if (isPrivate)
    return ok('certificate', `${says}, by Caddy's own authority: clients need its root certificate`)
  return warn(
    'certificate',
    `${says}: clients refuse it (${problem})`,
    `CADDY_TLS=internal, if that is meant, and Caddy's root certificate for the clients; otherwise: ${LOGS}`,
  )
}
