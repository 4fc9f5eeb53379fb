/**
 * Compose's client, for tests of compose.yaml; it needs no engine. Which programs of this machine will do, and where else one
 * is to be had. Part of setup.mjs.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ask, say, STAMPS, unpackFromDebian } from './setup-steps.mjs'

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
const INSIDE = './usr/libexec/docker/cli-plugins/docker-compose'

export function provideCompose() {
  const directory = join(STAMPS, 'compose')
  const program = join(directory, 'docker-compose')
  const isThere = () => ask(program, ['version', '--short']) !== undefined
  if (isThere() || ask('docker', ['compose', 'version']) !== undefined) return
  say('── docker compose, the client (for tests of compose.yaml)')
  const mirror = debianMirror()
  if (mirror === undefined)
    return say('   not to be had: those tests fail until there is a `docker compose` here')
  const apt = `${directory}-apt`
  const unpack = `dpkg-deb --fsys-tarfile docker-compose_*.deb | tar -xO ${INSIDE} > docker-compose && chmod 755 docker-compose`
  const isUnpacked =
    unpackFromDebian(directory, ['docker-compose'], unpack, debian13(mirror, apt)) && isThere()
  rmSync(apt, { recursive: true, force: true })
  say(
    isUnpacked
      ? '   done'
      : '   not to be had from apt: those tests fail until there is a `docker compose` here',
  )
}

/** The one that this machine uses. */
function debianMirror() {
  const targets = ask('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'])
  return targets?.split('\n').find((uri) => /\/debian\/?$/.test(uri))
}

/** Options for apt: Debian 12 has only the client of old, in Python, so 13 is asked, with lists of our own. */
function debian13(mirror, directory) {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(join(directory, 'lists', 'partial'), { recursive: true })
  // Not beside the lists: whatever else lies there, apt throws away.
  writeFileSync(join(directory, 'sources.list'), `deb [signed-by=${KEYRING}] ${mirror} trixie main\n`)
  const places = {
    'Dir::Etc::SourceList': join(directory, 'sources.list'),
    'Dir::Etc::SourceParts': join(directory, 'none'),
    'Dir::State::Lists': join(directory, 'lists'),
    'Dir::Cache': directory,
  }
  return Object.entries(places)
    .map(([name, place]) => `-o ${name}='${place}'`)
    .join(' ')
}
