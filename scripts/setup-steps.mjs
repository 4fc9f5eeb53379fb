/**
 * What the parts of setup.mjs share: where things lie, running programs, and steps that are done once. Imports nothing but Node,
 * and runs before anything is installed.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..')
export const VENV_PYTHON = join(ROOT, '.venv', 'bin', 'python')
export const STAMPS = join(ROOT, '.setup')

/** The mistakes of the machine, told in one line with the command that mends them. */
export class SetupProblem extends Error {}

export function say(line) {
  process.stderr.write(`${line}\n`)
}

/** Runs a command with its output visible. @throws SetupProblem with `advice` when it fails. */
export function run(command, args, advice) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2] })
  if (status !== 0) {
    const how = error ? error.message : `exit code ${status}`
    throw new SetupProblem(`\`${command} ${args.join(' ')}\` failed (${how}). ${advice}`)
  }
}

/** Runs a command silently; its stdout, or undefined when it cannot be run or fails. */
export function ask(command, args) {
  const { status, stdout } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}

export function fingerprint(parts, files) {
  const hash = createHash('sha256').update(JSON.stringify(parts))
  for (const file of files) hash.update(readFileSync(join(ROOT, file)))
  return hash.digest('hex')
}

/** Does `work` unless the stamp says that it was done from the very same inputs and its product is still there. */
export function step(name, { from, product, title, work }) {
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

export const runs = (...command) => ask(command[0], command.slice(1)) !== undefined

/** What pyproject.toml asks for, as pip requirements; the lock pins them through `pip -c`. */
export function pythonRequirements(python, groups) {
  const program = [
    'import sys, tomllib',
    'p = tomllib.load(open("python/pyproject.toml", "rb"))',
    'print(*p["project"]["dependencies"], *(r for g in sys.argv[1:] for r in p["dependency-groups"][g]), sep="\\n")',
  ].join('\n')
  const output = ask(python, ['-c', program, ...groups])
  if (!output) throw new SetupProblem('python/pyproject.toml could not be read.')
  return output.split('\n')
}

/**
 * Programs for tests that neither npm nor PyPI has, out of Debian's packages: nothing is installed, and nobody has to be root.
 *
 * @param options more for apt, such as lists of its own
 */
export function unpackFromDebian(directory, packages, unpack, options = '') {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  const inside = (script) => ask('sh', ['-c', `cd "$0" && ${script}`, directory]) !== undefined
  // As root apt downloads as another user, who may not write here. Without a network it must not try for minutes.
  const apt = `apt-get -q -o APT::Sandbox::User=root -o Acquire::Retries=0 -o Acquire::http::Timeout=20 ${options}`
  const download = () => inside(`${apt} download ${packages.join(' ')}`)
  const isThere = download() || (inside(`${apt} update`) && download())
  return isThere && inside(`${unpack} && rm *.deb`)
}
