/** Where and of what a run was made, for whoever reads its figures later. */
import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import { FFMPEG } from '../audio/recordings.ts'
import { ROOT } from '../end-to-end/server.ts'

export function machine() {
  const [first] = cpus()
  const git = (...words: string[]) => execFileSync('git', words, { cwd: ROOT, encoding: 'utf8' }).trim()
  const isChanged = git('status', '--porcelain', '--untracked-files=no') !== ''
  return {
    commit: `${git('rev-parse', '--short', 'HEAD')}${isChanged ? ' with changes' : ''}`,
    machine: `${first?.model.trim() ?? 'unknown'}, ${cpus().length} cores`,
    node: process.version,
    ffmpeg: { version: FFMPEG.version, isolation: FFMPEG.isolation },
  }
}
