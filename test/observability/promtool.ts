/** Prometheus' own checker: the system's, or the one that `scripts/setup.mjs --dev` has taken out of Debian's package. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')
export const DEPLOYED = join(ROOT, 'deploy', 'observability')

const candidates = ['promtool', join(ROOT, '.setup', 'promtool', 'promtool')]
const found = candidates.find((file) => spawnSync(file, ['--version']).status === 0)

export const hasPromtool = found !== undefined
/** For the name of a test that is skipped without it. */
export const WHY_SKIPPED = hasPromtool
  ? ''
  : ' (skipped: no promtool; Debian has it in the package prometheus)'

/** What it says, and how it ended. */
export function promtool(args: readonly string[], input = ''): { status: number | null; output: string } {
  if (found === undefined) throw new Error('there is no promtool')
  const { status, stdout, stderr } = spawnSync(found, args, { cwd: DEPLOYED, input, encoding: 'utf8' })
  return { status, output: `${stdout}${stderr}` }
}
