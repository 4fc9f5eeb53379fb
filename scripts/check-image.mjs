/** Part of `npm run check`: hadolint on the Dockerfile, shellcheck on its scripts. Both are in .venv; shellcheck has no wheel for Linux on arm64. */
import { spawnSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const PROGRAMS = join(ROOT, '.venv', 'bin')
const hasNoShellcheck = process.platform === 'linux' && process.arch === 'arm64'

function check(program, files) {
  if (program === 'shellcheck' && hasNoShellcheck && !existsSync(join(PROGRAMS, program))) {
    console.log('shellcheck: left out, PyPI has none for Linux on arm64')
    return
  }
  const { status, error } = spawnSync(join(PROGRAMS, program), files, { cwd: ROOT, stdio: 'inherit' })
  if (error) console.error(`${program}: ${error.message}`)
  if (status !== 0) process.exitCode = 1
}

check('hadolint', ['Dockerfile'])
check('shellcheck', globSync(['deploy/image/*.sh', 'test/image/*.sh'], { cwd: ROOT }))
