/**
 * What stands in for the images that the Dockerfile begins with, which cannot be had without a registry of images: a Debian 13 that
 * scripts/setup-image.mjs has made, the same Node from npm with this machine's npm, and this machine's Python instead of 3.12.
 */
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  linkSync,
  mkdirSync,
  realpathSync,
  symlinkSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ROOT } from './build-context.ts'
import type { Mount } from './room.ts'

/** Of .setup: the work of the test is done here, too, on the same disk. */
export const PARTS = join(ROOT, '.setup', 'image')
export const WHEELS = '/wheels'

const PYTHON_PREFIX = execFileSync(
  join(ROOT, '.venv', 'bin', 'python'),
  ['-c', 'import sys; print(sys.base_prefix)'],
  { encoding: 'utf8' },
).trim()

/** Debian's own Python cannot be laid into another Debian. */
export const DEBIAN =
  existsSync(join(PARTS, 'debian-13')) && PYTHON_PREFIX !== '/usr'
    ? realpathSync(join(PARTS, 'debian-13'))
    : undefined

/** A Python finds itself only where it was installed. */
export function pythonMounts(): Mount[] {
  const prefix = { mode: 'ro', source: PYTHON_PREFIX, destination: PYTHON_PREFIX } as const
  return PYTHON_PREFIX === '/usr' ? [] : [prefix]
}

/** A layer with what the image has in /usr/local, and the places where something is mounted. */
export function standIn(image: string, layer: string): void {
  const programs = join(layer, 'usr', 'local', 'bin')
  mkdirSync(programs, { recursive: true })
  for (const path of [WHEELS, '/root/.npm', '/root/.cache', ...(DEBIAN === undefined ? [] : [PYTHON_PREFIX])])
    mkdirSync(join(layer, path), { recursive: true, mode: 0o755 })
  if (image.startsWith('node:')) layNode(layer, programs)
  else if (image.startsWith('python:')) layPython(layer, programs)
  else throw new Error(`nothing stands in for ${image}`)
  if (DEBIAN === undefined)
    for (const program of ['tini', 'bwrap']) {
      const unpacked = join(PARTS, 'programs', program)
      if (existsSync(unpacked)) copyFileSync(unpacked, join(programs, program))
    }
}

function layNode(layer: string, programs: string): void {
  const node = realpathSync(join(ROOT, 'node_modules', 'node', 'bin', 'node'))
  try {
    linkSync(node, join(programs, 'node'))
  } catch {
    copyFileSync(node, join(programs, 'node')) // another disk
  }
  const program = execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim()
  cpSync(dirname(dirname(realpathSync(program))), join(layer, 'usr', 'local', 'lib', 'node_modules', 'npm'), {
    recursive: true,
  })
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(programs, 'npm'))
}

/** With its library beside it, or a Python that was installed elsewhere takes that of Debian's own for its own. */
function layPython(layer: string, programs: string): void {
  const python = realpathSync(join(PYTHON_PREFIX, 'bin', 'python3'))
  for (const name of ['python3', 'python']) symlinkSync(python, join(programs, name))
  const libraries = join(layer, 'usr', 'local', 'lib')
  mkdirSync(libraries)
  for (const library of globSync('lib/python3.*', { cwd: PYTHON_PREFIX }))
    symlinkSync(join(PYTHON_PREFIX, library), join(libraries, basename(library)))
}

/** Where `RUN --mount=type=cache,target=…` finds what others have fetched. */
export function cacheMounts(): Mount[] {
  const ofNpm = execFileSync('npm', ['config', 'get', 'cache'], {
    cwd: dirname(ROOT),
    encoding: 'utf8',
  }).trim()
  return [
    { mode: 'rw', source: ofNpm, destination: '/root/.npm' },
    { mode: 'ro', source: realpathSync(join(PARTS, 'wheels')), destination: WHEELS },
  ]
}
