/**
 * Makes a fresh clone ready: npm packages, a Python environment in .venv, an ffmpeg. Runs on any Node >= 20 before anything
 * is installed, so it imports nothing but Node itself. It does nothing when nothing changed: each step keeps a stamp
 * of what it was made from in .setup/.
 *
 *   node scripts/setup.mjs          what the server and the demo need
 *   node scripts/setup.mjs --dev    also what tests and checks need
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import {
  ask,
  fingerprint,
  pythonRequirements,
  ROOT,
  run,
  say,
  SetupProblem,
  STAMPS,
  step,
  VENV_PYTHON,
} from './setup-steps.mjs'
import { provideTestPrograms } from './setup-tests.mjs'

const OLDEST_PYTHON = [3, 11]
const IS_DEV = process.argv.includes('--dev')

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

// npm puts the system's Node first only until node_modules/.bin holds ours; children of this script get ours when it is there.
process.env.PATH = [join(ROOT, 'node_modules', '.bin'), process.env.PATH].join(delimiter)

try {
  installNodePackages()
  installPythonPackages()
  provideFfmpeg()
  if (IS_DEV) provideTestPrograms()
} catch (problem) {
  if (!(problem instanceof SetupProblem)) throw problem
  say(`setup: ${problem.message}`)
  process.exit(1)
}
