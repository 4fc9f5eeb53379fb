/** The world as it is: programs, files and sockets of this machine. Nothing here judges, and nothing waits without end. */
import { once } from 'node:events'
import { existsSync, type Stats } from 'node:fs'
import { lookup } from 'node:dns/promises'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { connect, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DatabaseSync } from 'node:sqlite'
import { connect as connectTls } from 'node:tls'
import { execa } from 'execa'
import { findFfmpeg } from '../audio/ffmpeg.ts'
import type { Config } from '../config.ts'
import { until } from '../until.ts'
import { parseProbe, type PythonProbe } from './python-probe.ts'
import { transcribeTrial } from './trial-transcription.ts'
import type { Certificate, FileSize, OwnAddress, Ran, World } from './world.ts'

const PROGRAM_MS = 10_000
/** Importing torch from a cold disk, and starting CUDA. */
const PROBE_MS = 55_000
const ENGINE_MS = 590_000
const NETWORK_MS = 2000
const PYTHON_DIRECTORY = fileURLToPath(new URL('../../python/', import.meta.url))
/** Either says which IPv4 address a request came from, and nothing else. */
const ADDRESS_TELLERS = ['https://api.ipify.org', 'https://ipv4.icanhazip.com']
/** Where models come from: whoever may ask anybody may ask there. */
const CLOCK = 'https://huggingface.co'

export function thisMachine(config: Config): World {
  const ffmpeg = onlyOnce(() => findFfmpeg(config))
  return {
    nowMs: Date.now,
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
    resolve: addressesOf,
    ownAddresses,
    connects,
    certificate,
    publicAddress: onlyOnce(() => Promise.any(ADDRESS_TELLERS.map(addressToldBy))),
    foreignTimeMs,
  }
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

/** The system's own way of asking has no deadline, and waits long for name servers that do not answer. */
async function addressesOf(name: string): Promise<string[]> {
  const found = await until(lookup(name, { all: true }), AbortSignal.timeout(NETWORK_MS))
  return found.map(({ address }) => address)
}

function ownAddresses(): OwnAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([card, addresses = []]) =>
    addresses.map(({ address }) => ({ card, address })),
  )
}

async function connects(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(NETWORK_MS) })
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

async function certificate(host: string, port: number): Promise<Certificate> {
  const name = isIP(host) === 0 ? { servername: host } : {}
  // Looked at, not trusted: nothing is sent over it.
  const socket = connectTls({ host, port, ...name, rejectUnauthorized: false })
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(NETWORK_MS) })
    const { valid_from, valid_to } = socket.getPeerCertificate()
    const problem = socket.authorized ? undefined : String(socket.authorizationError)
    return { validFrom: new Date(valid_from), validTo: new Date(valid_to), problem }
  } finally {
    socket.destroy()
  }
}

async function addressToldBy(url: string): Promise<string> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(NETWORK_MS) })
  const text = (await answer.text()).trim()
  if (isIP(text) === 0) throw new Error(`${url} told no address`)
  return text
}

async function foreignTimeMs(): Promise<number> {
  const { headers } = await fetch(CLOCK, { method: 'HEAD', signal: AbortSignal.timeout(NETWORK_MS) })
  const time = Date.parse(headers.get('date') ?? '')
  if (Number.isNaN(time)) throw new Error(`${CLOCK} told no time`)
  return time
}
