/**
 * A root directory as a container's, and commands in it: other files, other processes, another user, the same network. Which files
 * there are is decided in `build.ts`.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'

export const IS_ROOT = process.getuid?.() === 0

export interface Room {
  /** Is made and deleted by others. */
  readonly scratch: string
  /** Laid over each other, the uppermost first. None: the machine's own system, where that cannot be changed. */
  readonly layers: readonly string[]
  /** What differs from them. */
  readonly upper: string
}
export interface Mount {
  readonly mode: 'ro' | 'rw'
  readonly source: string
  readonly destination: string
}
export interface Wish {
  readonly argv: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly directory: string
  readonly mounts: readonly Mount[]
  /** What a container with `read_only`, `cap_drop: [ALL]` and `no-new-privileges` is. Otherwise the command is root's and may write. */
  readonly restricted?: { readonly uid: number; readonly gid: number }
}

/** Of util-linux, which a Linux has. */
const UNSHARE = 'unshare'
const ENTER = join(import.meta.dirname, 'enter.sh')
const NAMESPACES = [
  '--mount',
  '--pid',
  '--fork',
  '--kill-child',
  '--propagation',
  'private',
  ...(IS_ROOT ? [] : ['--user', '--map-root-user']),
]

/** A container that may make no namespaces can only skip what needs them. */
export const HAS_NAMESPACES = spawnSync(UNSHARE, [...NAMESPACES, 'true']).status === 0

export function start(room: Room, { argv, environment, directory, mounts, restricted }: Wish): ChildProcess {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
  const args = [
    ...NAMESPACES,
    'sh',
    ENTER,
    ...asUser(restricted),
    '/usr/bin/env',
    '-i',
    ...variables,
    ...argv,
  ]
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    SCRATCH: room.scratch,
    LAYERS: room.layers.join(':'),
    UPPER: room.upper,
    READ_ONLY: restricted === undefined ? '0' : '1',
    MOUNTS: mounts.map(({ mode, source, destination }) => `${mode} ${source} ${destination}`).join('\n'),
    DIRECTORY: directory,
  }
  return spawn(UNSHARE, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Who is not root has one user of his own, who may go by another number and stays who he is. */
function asUser(user: Wish['restricted']): string[] {
  if (user === undefined) return []
  const { uid, gid } = user
  const powers = ['setpriv', '--no-new-privs', '--bounding-set', '-all', '--inh-caps', '-all']
  return IS_ROOT
    ? [...powers, '--reuid', String(uid), '--regid', String(gid), '--clear-groups', '--']
    : [UNSHARE, '--user', `--map-user=${uid}`, `--map-group=${gid}`, '--', ...powers, '--']
}

export interface Ended {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

export async function ended(child: ChildProcess): Promise<Ended> {
  const said = { stdout: '', stderr: '' }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (said.stdout += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said.stderr += text))
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve)
    child.once('error', reject)
  })
  return { exitCode, ...said }
}
