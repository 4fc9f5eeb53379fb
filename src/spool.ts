/**
 * The directory where uploads and decoded audio live while they are needed. It decides where that is and that nothing
 * stays there; what the files are is not its business.
 */
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

export interface Spool extends AsyncDisposable {
  readonly path: string
}

/**
 * Makes a directory of our own in `DATA_DIR/spool`, readable by nobody else, and removes those of servers that no longer
 * live. Each process has its own, because two servers may share a DATA_DIR: sweeping all would delete the other's uploads.
 */
export async function openSpool(dataDirectory: string): Promise<Spool> {
  const parent = join(dataDirectory, 'spool')
  await mkdir(parent, { recursive: true, mode: 0o700 })
  const leftovers = (await readdir(parent)).filter((name) => !belongsToAnother(name))
  await Promise.all(leftovers.map((name) => rm(join(parent, name), { recursive: true, force: true })))

  const path = join(parent, String(process.pid))
  await mkdir(path, { mode: 0o700 })
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** Directories are named after the process. Ours cannot be in use: in a container the process number is always the same. */
function belongsToAnother(name: string): boolean {
  const pid = Number(name)
  return Number.isSafeInteger(pid) && pid > 0 && pid !== process.pid && isAlive(pid)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0) // signal 0 only asks
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM' // somebody else's process: alive
  }
}
