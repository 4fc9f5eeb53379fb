/**
 * What `docker build` would see of this checkout: the files that git knows or would add, less what .dockerignore keeps out. Docker
 * sees those that git ignores, too, which is why .dockerignore names what may go in.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '..', '..')

/** The last pattern that means a file, or a directory that it lies in, decides. */
export function isIgnored(path: string, patterns: readonly string[]): boolean {
  const parents = path.split('/').map((_name, index, names) => names.slice(0, index + 1).join('/'))
  let isOut = false
  for (const pattern of patterns) {
    const wanted = expressionOf(pattern.replace(/^!/, ''))
    if (parents.some((parent) => wanted.test(parent))) isOut = !pattern.startsWith('!')
  }
  return isOut
}

/** Other than in a shell, a `*` is also a name that begins with a dot. @throws Error for a pattern that ours have not */
function expressionOf(pattern: string): RegExp {
  if (!/^(?:\*\*\/)?[\w.*/-]+$/.test(pattern)) throw new Error(`${pattern} is no pattern that is read here`)
  const name = pattern.replace(/^\*\*\//, '')
  const anywhere = name === pattern ? '' : '(?:.*/)?'
  return new RegExp(`^${anywhere}${name.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`)
}

export function ignorePatterns(): string[] {
  const lines = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n')
  return lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'))
}

/** From the top of the repository. */
export function contextFiles(): string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const patterns = ignorePatterns()
  return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 * 1024 ** 2 })
    .split('\0')
    .filter((file) => file !== '' && existsSync(join(ROOT, file)) && !isIgnored(file, patterns))
}

/** Those that a source of COPY means: the file, or what lies in the directory. */
export function filesOf(source: string, context: readonly string[]): string[] {
  return context.filter((file) => file === source || file.startsWith(`${source}/`))
}
