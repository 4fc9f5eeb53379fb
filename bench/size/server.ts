/**
 * The real server with the model of the tests, in a process of its own, and how much memory it and its child take meanwhile.
 * It does not know what is asked of it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export const ROOT = join(import.meta.dirname, '..', '..')
/** Not in the repository, and on its disk, where there is room for what is measured. */
const TEMPORARY = join(ROOT, 'bench', 'tmp')
const SAMPLE_MS = 250

export interface MemorySample {
  readonly atSeconds: number
  readonly nodeMb: number
  /** Without the recording, which it maps: those pages are the kernel's cache of a file. */
  readonly childMb: number
  readonly childMappedMb: number
}

export interface MeasuredServer extends AsyncDisposable {
  readonly url: string
  readonly log: readonly string[]
  /** Begins to look; what it returns gives what was seen since. */
  watch(): () => readonly MemorySample[]
  /** The most that Node has ever had, as the kernel counts. */
  nodePeakMb(): number
  childPeakMb(): number
  /** Bytes below its data directory. */
  filesLeft(): number
}

export async function startServer(environment: Record<string, string> = {}): Promise<MeasuredServer> {
  mkdirSync(TEMPORARY, { recursive: true })
  const dataDir = await mkdtemp(join(TEMPORARY, 'size-'))
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
      ...environment,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  const log: string[] = []
  const { url, childPid } = await becomesReady(server, log)
  const pid = server.pid ?? Number.NaN
  return {
    url,
    log,
    watch: () => watch(pid, childPid),
    nodePeakMb: () => megabytes(pid, 'VmHWM'),
    childPeakMb: () => megabytes(childPid, 'VmHWM'),
    filesLeft: () => readdirSync(dataDir, { recursive: true, withFileTypes: true }).filter((f) => f.isFile()).length,
    async [Symbol.asyncDispose]() {
      server.kill('SIGTERM')
      await exited
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

async function becomesReady(server: ChildProcess, log: string[]): Promise<{ url: string; childPid: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ url: string; childPid: number }>()
  let url = ''
  if (server.stderr === null) throw new Error('its log cannot be read')
  createInterface({ input: server.stderr }).on('line', (line) => {
    log.push(line)
    url = /"message":"listening".*"url":"([^"]+)"/.exec(line)?.[1] ?? url
    const pid = /"message":"ready: .*"pid":(\d+)/.exec(line)?.[1]
    if (pid !== undefined) resolve({ url, childPid: Number(pid) })
  })
  server.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${log.join('\n')}`)))
  return promise
}

function watch(pid: number, childPid: number): () => readonly MemorySample[] {
  const beganMs = performance.now()
  const samples: MemorySample[] = []
  const look = () =>
    samples.push({
      atSeconds: Math.round((performance.now() - beganMs) / 100) / 10,
      nodeMb: megabytes(pid, 'VmRSS'),
      childMb: megabytes(childPid, 'RssAnon'),
      childMappedMb: megabytes(childPid, 'RssFile'),
    })
  look()
  const timer = setInterval(look, SAMPLE_MS)
  return () => {
    clearInterval(timer)
    look()
    return samples
  }
}

function megabytes(pid: number, figure: 'VmRSS' | 'VmHWM' | 'RssAnon' | 'RssFile'): number {
  const kibibytes = new RegExp(`${figure}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Math.round((Number(kibibytes) * 1024) / 1e5) / 10
}

/** Where it was measured, for whoever reads the figures later. */
export function machine() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1e9),
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
  }
}

/** So many samples, evenly over the time: enough to see a slope. */
export function thinned(samples: readonly MemorySample[], count = 24): readonly MemorySample[] {
  const step = Math.max(1, samples.length / count)
  return samples.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step))
}
