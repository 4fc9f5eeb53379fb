/** Starts the real command, as `npm run model` does, in a directory of its own with a cache of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Hub, MODEL } from './hub.ts'

const ROOT = join(import.meta.dirname, '..', '..')

/** Undefined: not set. */
type Environment = Readonly<Record<string, string | undefined>>

export interface Ended {
  readonly exitCode: number | null
  readonly out: string
  readonly said: string
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
}

export class Machine {
  readonly directory: string
  readonly environment: Readonly<Record<string, string>>

  constructor(directory: string, hub: Pick<Hub, 'url'>) {
    this.directory = directory
    this.environment = {
      HF_HOME: join(directory, 'hf'),
      HF_ENDPOINT: hub.url,
      MODEL,
      PYTHON_PATH: join(ROOT, '.venv', 'bin', 'python'),
    }
  }

  get repository(): string {
    return join(this.directory, 'hf', 'hub', `models--${MODEL.replace('/', '--')}`)
  }

  start(words: readonly string[], environment: Environment = {}): Running {
    const command = ['--env-file-if-exists=.env', join(ROOT, 'src', 'models', 'main.ts'), ...words]
    const child = spawn(process.execPath, command, {
      cwd: this.directory,
      env: { ...withoutProxies(), ...this.environment, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const texts = { out: '', said: '' }
    child.stdout.on('data', (chunk: Buffer) => (texts.out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (texts.said += chunk.toString()))
    const ended = new Promise<Ended>((resolve) =>
      child.once('close', (exitCode) => resolve({ exitCode, ...texts })),
    )
    onTestFinished(() => void child.kill('SIGKILL'))
    return { child, ended }
  }

  run(words: readonly string[], environment: Environment = {}): Promise<Ended> {
    return this.start(words, environment).ended
  }

  /** Names in the snapshot of a commit. */
  async filesOf(commit: string): Promise<string[]> {
    return (await readdir(join(this.repository, 'snapshots', commit))).sort()
  }
}

export async function newMachine(hub: Pick<Hub, 'url'>): Promise<Machine> {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-model-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return new Machine(directory, hub)
}

/** What this machine is set up for is not what is tried. */
function withoutProxies(): NodeJS.ProcessEnv {
  const names = Object.keys(process.env).filter((name) => !/proxy|^HF_|^MODEL/i.test(name))
  return Object.fromEntries(names.map((name) => [name, process.env[name]]))
}
