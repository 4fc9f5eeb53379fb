/**
 * What test/image needs to replay the steps of the Dockerfile without Docker, and without a network while it runs: a Debian 13 on
 * which deploy/image/install-system.sh has been run, and the wheels that deploy/image/install-python.sh installs. A part of setup.mjs.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  ask,
  fingerprint,
  pythonRequirements,
  ROOT,
  run,
  runs,
  say,
  STAMPS,
  step,
  unpackFromDebian,
  VENV_PYTHON,
} from './setup-steps.mjs'

/** Only root can unpack a Debian with its owners. Elsewhere the test does with the machine's own system. */
const isRoot = process.getuid?.() === 0

export function provideImageParts() {
  const asRoot = isRoot ? [] : ['--user', '--map-root-user']
  // The test says that it was skipped.
  if (process.platform !== 'linux' || !runs('unshare', '--mount', ...asRoot, 'true')) return
  collectWheels()
  // Debian's own Python cannot be laid into another Debian (test/image/base-images.ts).
  const isDebians = ask(VENV_PYTHON, ['-c', 'import sys; print(sys.base_prefix)']) === '/usr'
  if (!isRoot || isDebians || !runs('apt-get', '--version') || !installDebian()) unpackPrograms()
}

/** For the Python of .venv: its version, and the build of torch that this machine gets from where pip looks. */
function collectWheels() {
  const directory = join(STAMPS, 'image', 'wheels')
  step('image-wheels', {
    from: fingerprint([directory], ['python/pyproject.toml', 'python/requirements.lock']),
    product: directory,
    title: "the image's wheels (for a test that replays its steps)",
    work() {
      rmSync(directory, { recursive: true, force: true })
      mkdirSync(directory, { recursive: true })
      const args = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--dest', directory]
      args.push('-c', 'python/requirements.lock', 'uv', ...pythonRequirements(VENV_PYTHON, []))
      run(VENV_PYTHON, args, 'Check the network and the free disk space, then run it again.')
    },
  })
}

/** As large as Debian's own image, and then what our script adds. @returns whether it is there */
function installDebian() {
  const directory = join(STAMPS, 'image', 'debian-13')
  const script = 'deploy/image/install-system.sh'
  step('image-debian-13', {
    from: fingerprint([directory], [script, 'scripts/setup-image.mjs']),
    product: join(directory, 'data'),
    title: "a Debian 13 with the image's packages (for the same test)",
    work() {
      const program = join(STAMPS, 'mmdebstrap')
      if (!unpackFromDebian(program, ['mmdebstrap'], 'dpkg-deb -x mmdebstrap_*.deb .')) {
        say('   mmdebstrap is not to be had from apt')
        return
      }
      rmSync(directory, { recursive: true, force: true })
      const hooks = [
        `copy-in ${join(ROOT, script)} /root`,
        'COMPILE=off chroot "$1" sh /root/install-system.sh >/dev/null',
        'rm "$1/root/install-system.sh"',
      ]
      const args = [join(program, 'usr', 'bin', 'mmdebstrap'), '--quiet', '--mode=root', '--variant=minbase']
      args.push(...hooks.map((hook) => `--customize-hook=${hook}`), 'trixie', directory)
      if (runs('perl', ...args)) return
      say('   Debian 13 could not be had: the test takes the system of this machine')
      rmSync(directory, { recursive: true, force: true })
    },
  })
  return existsSync(directory)
}

/** What the image has and most machines have not. */
function unpackPrograms() {
  const directory = join(STAMPS, 'image', 'programs')
  if (existsSync(join(directory, 'tini')) || !runs('apt-get', '--version')) return
  say('── tini and bubblewrap (for a test that replays the steps of the image)')
  const unpack =
    'for package in *.deb; do dpkg-deb -x "$package" . || exit 1; done; mv usr/bin/tini usr/bin/bwrap . && rm -r usr'
  const isThere = unpackFromDebian(directory, ['tini', 'bubblewrap'], unpack)
  say(isThere ? '   done' : '   not to be had from apt: that test will fail')
}
