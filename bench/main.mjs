/**
 * Makes the bench's own Python environment (bench/.venv) and runs the bench in it. The worker's packages, torch above all,
 * are borrowed from .venv through a .pth file: everybody is measured with the same torch, and a gigabyte is not kept twice.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const WORKER_PYTHON = join(ROOT, '.venv', 'bin', 'python')
const VENV = join(ROOT, 'bench', '.venv')
const PYTHON = join(VENV, 'bin', 'python')
const STAMP = join(VENV, 'made-from')
const REQUIREMENTS = join(ROOT, 'bench', 'requirements.txt')
const LOCK = join(ROOT, 'python', 'requirements.lock')

function run(command, args) {
  const { status } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2] })
  if (status !== 0) throw new Error(`\`${command} ${args.join(' ')}\` failed with status ${status}`)
}

function ask(python, program) {
  const { status, stdout } = spawnSync(python, ['-c', program], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${python} cannot run \`${program}\``)
  return stdout.trim()
}

/** Idempotent: does nothing while the worker's environment and the requirements stay the same. */
function prepare() {
  if (!existsSync(WORKER_PYTHON))
    throw new Error('There is no .venv yet: run `node scripts/setup.mjs` first.')
  const sites = 'import sysconfig; print(sysconfig.get_path("purelib"))'
  const borrowed = ask(WORKER_PYTHON, sites)
  const from = createHash('sha256')
    .update(borrowed)
    .update(readFileSync(REQUIREMENTS))
    .update(readFileSync(LOCK))
    .digest('hex')
  if (existsSync(PYTHON) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === from) return
  console.error('── Python packages of the peers in bench/.venv')
  rmSync(VENV, { recursive: true, force: true })
  run(WORKER_PYTHON, ['-m', 'venv', VENV])
  writeFileSync(join(ask(PYTHON, sites), 'borrowed-from-worker.pth'), `${borrowed}\n`)
  run(PYTHON, [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '-r',
    REQUIREMENTS,
    '-c',
    LOCK,
  ])
  writeFileSync(STAMP, from)
}

prepare()
const bench = spawn(PYTHON, ['-m', 'bench', ...process.argv.slice(2)], { cwd: ROOT, stdio: 'inherit' })
// The bench gets the terminal's Ctrl-C itself; we only wait for it to end.
process.on('SIGINT', () => undefined)
bench.on('exit', (code, signal) => {
  process.exitCode = signal === null ? (code ?? 1) : 130
})
