/**
 * Compose's own client: what it makes of our files, merged, with a `.env` or none. It asks no engine. The one that
 * `scripts/setup.mjs --dev` has taken out of Debian's package, or this machine's.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

export const ROOT = join(import.meta.dirname, '..', '..')

const CLIENTS = [
  [join(ROOT, '.setup', 'compose', 'docker-compose')],
  ['docker', 'compose'],
  ['docker-compose'],
]

interface Mount {
  readonly type: 'bind' | 'volume'
  readonly source?: string
  readonly target: string
  readonly read_only?: boolean
}
interface Device {
  readonly driver: string
  readonly count: number
  readonly capabilities: readonly string[]
}
export interface Service {
  readonly image: string
  readonly build?: { readonly args?: Readonly<Record<string, string>> }
  readonly command?: readonly string[] | null
  readonly entrypoint?: readonly string[] | null
  readonly user?: string
  readonly init?: boolean
  readonly privileged?: boolean
  readonly restart?: string
  readonly read_only?: boolean
  readonly cap_add?: readonly string[]
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly pids_limit?: number
  readonly stop_grace_period?: string
  readonly tmpfs?: readonly string[]
  readonly logging?: { readonly driver: string; readonly options: Readonly<Record<string, string>> }
  readonly environment?: Readonly<Record<string, string | null>>
  readonly expose?: readonly string[]
  readonly ports?: readonly {
    readonly target: number
    readonly published: string
    readonly protocol: string
    readonly host_ip?: string
  }[]
  readonly networks?: Readonly<Record<string, unknown>>
  readonly network_mode?: string
  readonly secrets?: readonly { readonly source: string; readonly target: string }[]
  readonly volumes?: readonly Mount[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly deploy?: {
    readonly replicas?: number
    readonly resources?: { readonly reservations?: { readonly devices?: readonly Device[] } }
  }
  readonly healthcheck?: { readonly test: readonly string[]; readonly start_period?: string }
}
export interface Project {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>
  readonly volumes: Readonly<Record<string, unknown>>
  readonly secrets?: Readonly<Record<string, { readonly file: string }>>
  /** Where `.env` lies, and what paths of the files are taken from. */
  readonly directory: string
}

interface Wish {
  /** What is added to compose.yaml: `gpu`, `cpu`, `distributed`. */
  readonly files?: readonly string[]
  readonly profiles?: readonly string[]
  /** The text of `.env`. */
  readonly env?: string
}

/** What would be started. @throws Error with what the client says, a warning too */
export function composed({ files = [], profiles = [], env }: Wish = {}): Project {
  const directory = mkdtempSync(join(tmpdir(), 'compose-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  if (env !== undefined) writeFileSync(join(directory, '.env'), env)
  const names = ['compose.yaml', ...files.map((name) => `compose.${name}.yaml`)]
  const wanted = names.flatMap((name) => ['--file', join(ROOT, name)])
  const started = profiles.flatMap((name) => ['--profile', name])
  const args = ['--project-directory', directory, ...wanted, ...started, 'config', '--format', 'json']
  const { status, stdout, stderr } = compose(args)
  if (status !== 0 || stderr !== '') throw new Error(`docker compose config: ${stderr}`)
  return { ...(JSON.parse(stdout) as Omit<Project, 'directory'>), directory }
}

/** @throws Error when there is no client */
export function compose(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const [file = '', ...first] = client()
  // Nothing of this machine's settings: the client would put them into the files.
  const env = { PATH: process.env['PATH'], HOME: tmpdir() }
  return spawnSync(file, [...first, ...args], { encoding: 'utf8', env })
}

let known: readonly string[] | undefined

function client(): readonly string[] {
  known ??= CLIENTS.find(([file = '', ...first]) => {
    const { stdout } = spawnSync(file, [...first, 'version', '--short'], { encoding: 'utf8' })
    return /^v?([2-9]|\d\d)\./.test(stdout ?? '')
  })
  if (known === undefined) throw new Error('no `docker compose` here: node scripts/setup.mjs --dev says why')
  return known
}

/** The service of that name. @throws Error when it would not be started */
export function service({ services }: Pick<Project, 'services'>, name: string): Service {
  const found = services[name]
  if (found === undefined) throw new Error(`there is no service ${name}`)
  return found
}

/** What a shell gets: `$$` is how Compose writes a `$`. */
export const unescaped = (text: string) => text.replaceAll('$$', '$')

/** Of `45s`, `1m0s`, `1h0m0s`. */
export function secondsOf(duration: string): number {
  const parts = [...duration.matchAll(/(\d+)([hms])/g)]
  if (parts.map(([part]) => part).join('') !== duration) throw new Error(`${duration} is not read here`)
  const units: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1 }
  return parts.reduce((sum, [, digits, unit = '']) => sum + Number(digits) * (units[unit] ?? 0), 0)
}
