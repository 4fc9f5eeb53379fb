// The server as a process of its own, with one of the small children of test/workers for its engine.
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { onTestFinished } from 'vitest'
import { findFfmpeg } from '../src/audio/ffmpeg.ts'

export const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))
export const SILENCE = fileURLToPath(new URL('audio/silence.wav', import.meta.url))
export const WORKERS = fileURLToPath(new URL('workers/', import.meta.url))
/** Found beside the real Python, where it may be the only one: the stand-in has none beside it. */
const FFMPEG = await findFfmpeg({ ffmpegPath: undefined, pythonPath: '.venv/bin/python' })

/** A "Python" that is one of our small children, and a directory for what the server writes. */
export async function home(worker: string): Promise<{ dataDir: string; pythonPath: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-main-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const pythonPath = join(directory, 'python')
  await writeFile(pythonPath, `#!/bin/sh\nexec ${process.execPath} ${join(WORKERS, worker)}.ts\n`)
  await chmod(pythonPath, 0o755)
  return { dataDir: join(directory, 'data'), pythonPath }
}

/** The server as a process: its log as it comes, and how it ends. */
export async function startServer(
  worker: string,
  settings: Record<string, string> = {},
  nodeArguments: readonly string[] = [],
) {
  const { dataDir, pythonPath } = await home(worker)
  const env = {
    HOST: '127.0.0.1',
    PORT: '0',
    DATA_DIR: dataDir,
    PYTHON_PATH: pythonPath,
    FFMPEG_PATH: FFMPEG.path,
    ...settings,
  }
  const server = execa(process.execPath, [...nodeArguments, MAIN], { env, reject: false, stdout: 'ignore' })
  onTestFinished(() => void server.kill('SIGKILL'))
  const lines: string[] = []
  let wake = Promise.withResolvers<void>()
  createInterface({ input: server.stderr }).on('line', (line) => {
    lines.push(line)
    wake.resolve()
    wake = Promise.withResolvers()
  })
  /** The first log entry with this message, once it is there. */
  const logged = async (message: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const entry = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
      const found = entry.find((candidate) => String(candidate.message).startsWith(message))
      if (found !== undefined) return found
      await Promise.race([wake.promise, server.then(() => Promise.reject(new Error(lines.join('\n'))))])
    }
  }
  return { server, logged, dataDir, lines }
}

export const spooled = (dataDir: string) => readdir(join(dataDir, 'spool'))
