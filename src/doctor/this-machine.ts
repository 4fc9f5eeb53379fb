/** The world as it is: programs and files of this machine. Nothing here judges, and nothing waits without end. */
import { existsSync, type Stats } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { versions } from 'node:process'
import { fileURLToPath } from 'node:url'
import { DatabaseSync } from 'node:sqlite'
import { execa } from 'execa'
import { findFfmpeg } from '../audio/ffmpeg.ts'
import type { Config } from '../config.ts'
import { publicAddress, thisNetwork } from './this-network.ts'
import { parseProbe, type PythonProbe } from './python-probe.ts'
import { transcribeTrial } from './trial-transcription.ts'
import type { FileSize, Ran, World } from './world.ts'

const PROGRAM_MS = 10_000
/** Importing torch from a cold disk, and starting CUDA. */
const PROBE_MS = 55_000
const ENGINE_MS = 590_000
/** Behind each `npm run`: without it they are no commands, and what they do is done by the image's entry point. */
const SETUP = fileURLToPath(new URL('../../scripts/setup.mjs', import.meta.url))
const PYTHON_DIRECTORY = fileURLToPath(new URL('../../python/', import.meta.url))

export function thisMachine(config: Config): World {
  const ffmpeg = onlyOnce(() => findFfmpeg(config))
  return {
    nowMs: Date.now,
    nodeVersion: () => versions.node,
    userId: () => process.getuid?.() ?? Number.NaN,
    run,
    readText: (path) => readFile(path, 'utf8'),
    filesIn,
    directoriesIn,
    tryWriting,
    diskOf,
    tablesIn,
    ffmpeg,
    python: onlyOnce(() => askPython(config)),
    transcribe: onlyOnce(async () => transcribeTrial(config, await ffmpeg(), AbortSignal.timeout(ENGINE_MS))),
    ...thisNetwork(),
    publicAddress: onlyOnce(publicAddress),
    // Their clients are loaded only where they are wanted.
    askRedis: async (url) => (await import('./these-stores.ts')).askRedis(url),
    tryObjects: async (...which) => (await import('./these-stores.ts')).tryObjects(...which),
  }
}

/** The image holds what runs and not what sets it up. A checkout in somebody's container is none. */
export function isImage(): boolean {
  return !existsSync(SETUP)
}

function onlyOnce<Value>(ask: () => Promise<Value>): () => Promise<Value> {
  let answer: Promise<Value> | undefined
  return () => (answer ??= ask())
}

async function run(file: string, args: readonly string[]): Promise<Ran> {
  const ended = await execa(file, args, { reject: false, timeout: PROGRAM_MS, stdin: 'ignore' })
  if (ended.code === 'ENOENT') throw new Error(`there is no ${file}`)
  return { exitCode: ended.exitCode, stdout: ended.stdout, stderr: ended.stderr }
}

async function askPython({ pythonPath, device }: Config): Promise<PythonProbe> {
  if (!existsSync(pythonPath)) throw new Error(`there is no ${pythonPath}`)
  const options = { cwd: PYTHON_DIRECTORY, timeout: PROBE_MS, stdin: 'ignore', reject: false } as const
  const ended = await execa(pythonPath, ['-m', 'whisper_worker.probe', device], options)
  if (ended.exitCode !== 0) throw new Error(ended.stderr.trim().split('\n').at(-1) || ended.shortMessage)
  return parseProbe(ended.stdout)
}

async function filesIn(directory: string): Promise<FileSize[] | undefined> {
  const entries = await entriesIn(directory)
  return entries?.flatMap(({ name, found }) => (found.isFile() ? [{ name, bytes: found.size }] : []))
}

async function directoriesIn(directory: string): Promise<string[] | undefined> {
  const entries = await entriesIn(directory)
  return entries?.flatMap(({ name, found }) => (found.isDirectory() ? [name] : []))
}

async function entriesIn(directory: string): Promise<{ name: string; found: Stats }[] | undefined> {
  const names = await readdir(directory).catch(() => undefined)
  const looks = names?.map(async (name) => {
    const found = await stat(join(directory, name)).catch(() => undefined) // a link that leads nowhere
    return found === undefined ? [] : [{ name, found }]
  })
  return looks && (await Promise.all(looks)).flat()
}

async function tryWriting(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const ours = await mkdtemp(join(directory, 'doctor-'))
  try {
    await writeFile(join(ours, 'written'), 'by npm run doctor')
  } finally {
    await rm(ours, { recursive: true, force: true })
  }
}

async function diskOf(directory: string): Promise<{ freeBytes: number; kind: number }> {
  const { bavail, bsize, type } = await statfs(directory)
  return { freeBytes: bavail * bsize, kind: type }
}

/** Read only: a server may be at work on it. */
async function tablesIn(path: string): Promise<number | undefined> {
  if (!existsSync(path)) return undefined
  const database = new DatabaseSync(path, { readOnly: true, timeout: 1000 })
  try {
    return Number(database.prepare('SELECT count(*) AS tables FROM sqlite_schema').get()?.['tables'])
  } finally {
    database.close()
  }
}
