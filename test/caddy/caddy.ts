/** Starts real Caddys with this repository's Caddyfile: on free ports, with certificates of their own in a directory that is deleted. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { connect } from 'node:tls'
import { Agent } from 'undici'
import { ROOT } from '../end-to-end/server.ts'

export interface CaddyProgram {
  readonly name: string
  readonly path: string
  /** Debian 12's is older than certificates for addresses, and closes a body with the first attempt to connect. */
  readonly isNew: boolean
}

/** What `scripts/setup.mjs --dev` unpacks. Without them these tests fail: nothing else would say that the Caddyfile works. */
const PROGRAMS = [
  { name: 'Debian 12’s Caddy 2.6.2', path: join(ROOT, '.setup', 'caddy-debian', 'caddy'), isNew: false },
  {
    name: 'Caddy 2.11.7',
    path: join(ROOT, '.setup', 'caddy-newer', 'bin', 'caddy'),
    isNew: true,
  },
] as const satisfies readonly CaddyProgram[]
export const [OLD_CADDY, NEW_CADDY] = PROGRAMS
export const CADDIES: readonly CaddyProgram[] = PROGRAMS

export interface RunningCaddy extends AsyncDisposable {
  readonly pid: number
  /** Over TLS, where there is any. */
  readonly url: string
  readonly plainUrl: string
  readonly port: number
  /** Its own root certificate; empty without TLS. */
  readonly rootFile: string
  readonly root: string
  /** For undici's fetch: trusts that root. */
  readonly agent: Agent
  /** What it has written to its access log. */
  readonly accesses: () => readonly string[]
}

/** As a person would write them into .env. */
type Settings = Readonly<Record<string, string>>

const CADDYFILE = ['--config', 'Caddyfile', '--adapter', 'caddyfile']

/** Resolves when it serves, and has its certificate if it makes one itself. */
export async function startCaddy(program: CaddyProgram, settings: Settings): Promise<RunningCaddy> {
  const directory = await mkdtemp(join(tmpdir(), 'caddy-'))
  const httpPort = await freePort()
  const httpsPort = await freePort()
  const tls = settings.CADDY_TLS ?? 'internal'
  const caddy = spawn(existing(program), ['run', ...CADDYFILE], {
    cwd: ROOT,
    env: {
      ...atHome(directory),
      CADDY_TLS: tls,
      CADDY_HTTP_PORT: `${httpPort}`,
      CADDY_HTTPS_PORT: `${httpsPort}`,
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const accesses: string[] = []
  createInterface({ input: caddy.stdout }).on('line', (line) => accesses.push(line))
  const exited = once(caddy, 'exit')
  // Asked kindly, it waits for whoever is connected. A test that was given up disposes of nothing.
  const end = () => void caddy.kill('SIGKILL')
  process.once('exit', end)
  await serves(caddy.stderr)
  const rootFile = join(directory, 'caddy', 'pki', 'authorities', 'local', 'root.crt')
  const root = tls === 'off' ? '' : await readFile(rootFile, 'utf8')
  const agent = new Agent({
    ...(root !== '' && { connect: { ca: root } }),
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  const host = settings.SITE_ADDRESS ?? 'localhost'
  if (tls !== 'off') await hasCertificate(caddy, { host, port: httpsPort })
  const plainUrl = `http://${host}:${httpPort}`
  return {
    pid: caddy.pid ?? 0,
    url: tls === 'off' ? plainUrl : `https://${host}:${httpsPort}`,
    plainUrl,
    port: httpsPort,
    rootFile,
    root,
    agent,
    accesses: () => accesses,
    async [Symbol.asyncDispose]() {
      await agent.destroy()
      end()
      process.off('exit', end)
      await exited
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** What `caddy validate` says: empty when nothing is wrong. */
export function validate(program: CaddyProgram, settings: Settings, directory: string): string {
  try {
    execFileSync(existing(program), ['validate', ...CADDYFILE], {
      cwd: ROOT,
      env: { ...atHome(directory), ...settings },
      stdio: 'pipe',
    })
    return ''
  } catch (error) {
    return String((error as { stderr?: unknown }).stderr)
  }
}

/** The Caddyfile as Caddy's own JSON. */
export function adapted(program: CaddyProgram, settings: Settings, directory: string): unknown {
  const options = { cwd: ROOT, env: { ...atHome(directory), ...settings }, stdio: 'pipe' } as const
  return JSON.parse(execFileSync(existing(program), ['adapt', ...CADDYFILE], options).toString())
}

/** Nothing of the machine's own Caddy is read or written. */
function atHome(directory: string): Record<string, string> {
  return {
    HOME: directory,
    XDG_DATA_HOME: directory,
    XDG_CONFIG_HOME: directory,
    PATH: process.env.PATH ?? '',
  }
}

function existing({ name, path }: CaddyProgram): string {
  if (existsSync(path)) return path
  throw new Error(
    `${name} is not there: \`node scripts/setup.mjs --dev\` gets it (from apt and PyPI, on Linux)`,
  )
}

/** @throws Error with all that it wrote when it ends before it serves. */
async function serves(stderr: Readable): Promise<void> {
  const said: string[] = []
  for await (const line of createInterface({ input: stderr })) {
    said.push(line)
    if (!line.includes('serving initial configuration')) continue
    stderr.resume() // its pipe must not fill up
    return
  }
  throw new Error(`Caddy ended:\n${said.join('\n')}`)
}

/** It makes its certificate while it serves already, and says so before it uses it: asks as fast as it answers. */
async function hasCertificate(caddy: ChildProcess, where: { host: string; port: number }): Promise<void> {
  const servername = where.host === 'localhost' && { servername: where.host }
  while (caddy.exitCode === null) {
    const socket = connect({ ...where, rejectUnauthorized: false, ...servername })
    const isThere = await once(socket, 'secureConnect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isThere) return
  }
  throw new Error(`Caddy ended with ${caddy.exitCode} before it had a certificate`)
}

/**
 * A port that is free, below those that the kernel gives to whoever asks for any: while a server restarts, nobody else gets it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    await once(server.close(), 'close')
    return port
  }
}
