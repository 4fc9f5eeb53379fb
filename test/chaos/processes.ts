/** What /proc says of processes: children, memory, descriptors. It does not know what they are for. */
import { readdir, readFile } from 'node:fs/promises'

/** A process may be gone before it has been looked at. */
async function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}

export interface Process {
  readonly pid: number
  readonly command: string
  /** As ps writes it: `Z` is one that nobody has buried. */
  readonly state: string
}

async function processOf(pid: number): Promise<Process> {
  const command = (await read(`/proc/${pid}/cmdline`)).replaceAll('\0', ' ').trim()
  const state = /^State:\s+(\w)/m.exec(await read(`/proc/${pid}/status`))?.[1] ?? ''
  return { pid, command, state }
}

export async function childrenOf(pid: number): Promise<Process[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  const lists = await Promise.all(threads.map((thread) => read(`/proc/${pid}/task/${thread}/children`)))
  const pids = lists.flatMap((list) => list.split(' ').filter(Boolean))
  return Promise.all(pids.map(async (child) => processOf(Number(child))))
}

/** All that have these words in their command line. */
export async function processesWith(words: string): Promise<Process[]> {
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0 && pid !== process.pid)
  const all = await Promise.all(pids.map(processOf))
  return all.filter(({ command }) => command.includes(words))
}

export async function residentMib(pid: number): Promise<number | undefined> {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(await read(`/proc/${pid}/status`))?.[1]
  return kib === undefined ? undefined : Math.round(Number(kib) / 102.4) / 10
}

export async function descriptorsOf(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length
}

/** Says whether there was anybody to get it. */
export function signal(pid: number | undefined, name: NodeJS.Signals): boolean {
  if (pid === undefined) return false
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}
