/** The real server, as often as it is started, always on the same port and the same directory; and what its log gives away. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ROOT } from '../end-to-end/server.ts'
import type { LogWatch } from './log-watch.ts'
import { childrenOf, signal } from './processes.ts'
import type { Timeline } from './timeline.ts'

export interface ServerParts {
  readonly dataDir: string
  /** For what is no file of the server's. */
  readonly workDir: string
  readonly ffmpegPath: string
  readonly environment: Readonly<Record<string, string>>
  readonly timeline: Timeline
  readonly log: LogWatch
}

interface Life {
  readonly process: ChildProcess
  readonly exited: Promise<number | null>
}

export class ServerUnderTest {
  readonly port: number
  readonly #parts: ServerParts
  readonly #pythonPath: string
  #life: Life | undefined

  private constructor(parts: ServerParts, port: number, pythonPath: string) {
    this.#parts = parts
    this.port = port
    this.#pythonPath = pythonPath
  }

  static async start(parts: ServerParts): Promise<ServerUnderTest> {
    const server = new ServerUnderTest(parts, await freePort(), await talkativePython(parts.workDir))
    await server.start()
    return server
  }

  get pid(): number {
    const pid = this.#life?.process.pid
    if (pid === undefined) throw new Error('the server does not run')
    return pid
  }

  /** Undefined while there is none. */
  async enginePid(): Promise<number | undefined> {
    const children = await childrenOf(this.pid)
    return children.find(({ command, state }) => command.includes('whisper_worker') && state !== 'Z')?.pid
  }

  async ffmpegPids(): Promise<number[]> {
    const children = await childrenOf(this.pid)
    return children.filter(({ command }) => command.includes('.pcm')).map(({ pid }) => pid)
  }

  /** Resolves when it listens; its model may take longer. @throws Error when it ends before. */
  async start(): Promise<void> {
    const { environment, dataDir, ffmpegPath, log } = this.#parts
    log.engineIsDown()
    const server = spawn(process.execPath, ['src/main.ts'], {
      cwd: ROOT,
      env: {
        ...process.env,
        MODEL: 'models/tiny-da',
        HOST: '127.0.0.1',
        PORT: String(this.port),
        DATA_DIR: dataDir,
        FFMPEG_PATH: ffmpegPath,
        PYTHON_PATH: this.#pythonPath,
        HF_HUB_OFFLINE: '1',
        ...environment,
      },
      stdio: ['ignore', 'inherit', 'pipe'],
    })
    const exited = new Promise<number | null>((resolve) => server.once('exit', (code) => resolve(code)))
    this.#life = { process: server, exited }
    const listening = Promise.withResolvers<void>()
    createInterface({ input: server.stderr }).on('line', (line) => {
      log.read(line)
      if (line.includes('"message":"listening"')) listening.resolve()
    })
    const ended = exited.then((code) => {
      throw new Error(`the server ended with ${code}:\n${log.lastLines().join('\n')}`)
    })
    await Promise.race([listening.promise, ended])
  }

  /** Ends it, well or badly; resolves with its exit code when it is gone. */
  async end(name: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    if (this.#life === undefined) return null
    signal(this.#life.process.pid, name)
    const code = await this.#life.exited
    this.#life = undefined
    return code
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  return port
}

/** What PYTHON_PATH names: the Python of the house with the worker that prints when it is told to. */
async function talkativePython(directory: string): Promise<string> {
  const path = join(directory, 'python')
  const [python, script] = [join(ROOT, '.venv/bin/python'), join(ROOT, 'test/workers/talkative_python.py')]
  await writeFile(path, `#!/bin/sh\nexec "${python}" "${script}" "$@"\n`)
  await chmod(path, 0o755)
  return path
}
