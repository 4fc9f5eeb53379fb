/** Starts the real server as a process of its own, as `npm start` does, on a free port and with a data directory of its own. */
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

export const ROOT = join(import.meta.dirname, '..', '..')
export const AUDIO = join(ROOT, 'test', 'audio')

export interface RunningServer {
  readonly url: string
  /** The Python child that was ready last. */
  enginePid(): number
  /** Files below the data directory right now: uploads and decoded audio. */
  leftovers(): Promise<string[]>
  /** All that it has logged until now. */
  log(): readonly string[]
  /** Asks the server to end; says how it ended and what it left in its data directory. */
  stop(): Promise<{ exitCode: number | null; leftovers: string[] }>
}

/** Resolves when the model is ready. Rejects with what the server wrote when it ends before that. */
export async function startServer(environment: Record<string, string> = {}): Promise<RunningServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'hviske-e2e-'))
  const server = spawn(process.execPath, ['src/main.ts'], {
    cwd: ROOT,
    env: {
      ...process.env,
      MODEL: 'models/tiny-da',
      HOST: '127.0.0.1',
      PORT: '0',
      DATA_DIR: dataDir,
      HF_HUB_OFFLINE: '1',
      ...environment,
    },
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  const exited = new Promise<number | null>((resolve) => server.once('exit', (code) => resolve(code)))
  const lines: string[] = []
  const listening = new Promise<string>((resolve) => {
    createInterface({ input: server.stderr }).on('line', (line) => {
      lines.push(line)
      const url = /"message":"listening".*"url":"([^"]+)"/.exec(line)?.[1]
      if (url) resolve(url)
    })
  })

  const url = await Promise.race([
    listening,
    exited.then((code) => {
      throw new Error(`the server ended with ${code}:\n${lines.join('\n')}`)
    }),
  ])
  await becomesHealthy(url, environment.API_KEYS).catch(async (error: unknown) => {
    server.kill('SIGTERM')
    await exited // then its last line has been written, which says more than our failed request
    throw new Error(lines.join('\n'), { cause: error })
  })

  return {
    url,
    enginePid: () =>
      Number(/"pid":(\d+)/.exec(lines.findLast((line) => line.includes('"ready: ')) ?? '')?.[1]),
    leftovers: () => filesBelow(dataDir),
    log: () => lines,
    async stop() {
      server.kill('SIGTERM')
      const exitCode = await exited
      const leftovers = await filesBelow(dataDir)
      await rm(dataDir, { recursive: true, force: true })
      return { exitCode, leftovers }
    },
  }
}

/** All but what jobs leave for those who fetch their results. */
async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !['jobs', 'blobs'].some((room) => path.startsWith(join(directory, room))))
}

/** A request made while the model loads waits for it: its answer is the event we wait for. */
async function becomesHealthy(url: string, key = 'none-needed'): Promise<void> {
  const body = new FormData()
  body.append('file', new Blob([await readFile(join(AUDIO, 'silence.wav'))]), 'silence.wav')
  const headers = { authorization: `Bearer ${key}` }
  const response = await fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', headers, body })
  if (!response.ok) throw new Error(`the first request failed: ${response.status} ${await response.text()}`)
}

export interface Truth {
  readonly text: string
  readonly language: string
  readonly duration: number
  readonly words: readonly { readonly word: string; readonly start: number; readonly end: number }[]
}

/** What the synthesis knows about a clip of test/audio. */
export async function truthOf(name: string): Promise<Truth> {
  return JSON.parse(await readFile(join(AUDIO, `${name}.json`), 'utf8')) as Truth
}

/** Words as they are compared: without case and punctuation. */
export function plainWords(text: string): string[] {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s]/gu, '')
    .split(/\s+/)
    .filter(Boolean)
}

export const runFile = promisify(execFile)

/** A WAV of one recording of test/audio, said over and over. */
export async function repeated(name: string, times: number): Promise<Blob> {
  const wav = await readFile(join(AUDIO, name))
  const samplesStart = wav.indexOf('data') + 8
  const header = Buffer.from(wav.subarray(0, samplesStart))
  const samples = wav.subarray(samplesStart)
  header.writeUInt32LE(samplesStart - 8 + samples.length * times, 4)
  header.writeUInt32LE(samples.length * times, samplesStart - 4)
  return new Blob([header, ...Array.from({ length: times }, () => samples)])
}

/** Until a recording has its turn at the engine; asks as fast as the server answers. */
export async function untilEngineIsBusy({ url }: RunningServer): Promise<void> {
  for (;;) {
    const health = (await (await fetch(`${url}/health`)).json()) as { queue: { active: number } }
    if (health.queue.active > 0) return
  }
}
