/** A server of any role as a process of its own, with a directory that goes with it. It does not know what is measured. */
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ROOT } from '../size/server.ts'

export interface JobServer extends AsyncDisposable {
  readonly url: string
}

/** Resolves when it listens. */
export async function startJobServer(settings: Record<string, string>): Promise<JobServer> {
  const temporary = join(ROOT, 'bench', 'tmp')
  mkdirSync(temporary, { recursive: true })
  const dataDir = await mkdtemp(join(temporary, 'jobs-'))
  const server = spawn(process.execPath, ['src/main.ts'], {
    cwd: ROOT,
    env: {
      ...process.env,
      MODEL: 'models/tiny-da',
      DEVICE: 'cpu',
      HOST: '127.0.0.1',
      PORT: '0',
      DATA_DIR: dataDir,
      HF_HUB_OFFLINE: '1',
      ...settings,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  const log: string[] = []
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: server.stderr }).on('line', (line) => {
      log.push(line)
      const found = /"message":"listening".*"url":"([^"]+)"/.exec(line)?.[1]
      if (found !== undefined) resolve(found)
    })
    void exited.then(() => reject(new Error(`a server ended:\n${log.join('\n')}`)))
  })
  return {
    url,
    async [Symbol.asyncDispose]() {
      server.kill('SIGTERM')
      await exited
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
