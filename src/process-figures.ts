/** What the operating system says of this process, of its Python child and of the disk. Where it does not say, nothing is said. */
import { readdir, readFile, statfs } from 'node:fs/promises'

const STARTED_AT_SECONDS = Date.now() / 1000 - process.uptime()

export function ownFigures() {
  const { user, system } = process.cpuUsage()
  return {
    startedAtSeconds: STARTED_AT_SECONDS,
    residentBytes: process.memoryUsage.rss(),
    heapUsedBytes: process.memoryUsage().heapUsed,
    cpuSeconds: (user + system) / 1e6,
    eventLoopSeconds: performance.eventLoopUtilization().active / 1000,
  }
}

/** Undefined where there is no /proc. */
export async function openDescriptors(): Promise<number | undefined> {
  const names = await readdir('/proc/self/fd').catch(() => undefined)
  return names?.length
}

/**
 * Found among our children by what stands in its command line, whoever started it. Undefined while there is none, and
 * where the kernel does not list children.
 */
export async function engineResidentBytes(argument = 'whisper_worker'): Promise<number | undefined> {
  const children = await read(`/proc/self/task/${process.pid}/children`)
  for (const pid of children.split(' ').filter(Boolean)) {
    const words = (await read(`/proc/${pid}/cmdline`)).split('\0')
    if (!words.includes(argument)) continue
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(await read(`/proc/${pid}/status`))?.[1]
    return kib === undefined ? undefined : Number(kib) * 1024
  }
  return undefined
}

/** Undefined when the directory is gone. */
export async function diskBytes(directory: string): Promise<{ size: number; free: number } | undefined> {
  const disk = await statfs(directory).catch(() => undefined)
  return disk && { size: disk.blocks * disk.bsize, free: disk.bavail * disk.bsize }
}

/** A process may be gone before it has been looked at. */
async function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}
