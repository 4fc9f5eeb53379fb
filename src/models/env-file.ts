/** Settings in a `.env` file: which lines change, and that the others stay as they are. It does not know what the settings mean. */
import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'

/** Undefined removes the setting. */
export type Changes = Readonly<Record<string, string | undefined>>

const PLAIN_VALUE = /^[\w./@:+~-]*$/

/** Where a setting stands, the new value stands; a new one comes last; a second line of the same setting goes. */
export function withSettings(text: string, changes: Changes): string {
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n')
  const left = new Map(Object.entries(changes))
  const kept = lines.flatMap((line) => {
    const name = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=/.exec(line)?.[1]
    if (name === undefined || !(name in changes)) return [line]
    const value = left.get(name)
    left.delete(name)
    return value === undefined ? [] : [assignment(name, value)]
  })
  const added = [...left].flatMap(([name, value]) => (value === undefined ? [] : [assignment(name, value)]))
  return [...kept, ...added].map((line) => `${line}\n`).join('')
}

/** As Node, Compose and a shell read it alike. @throws Error for a value that they would not. */
export function assignment(name: string, value: string): string {
  if (PLAIN_VALUE.test(value)) return `${name}=${value}`
  if (/['\n\r]/.test(value)) throw new Error(`${name}: ${value} cannot be written into a .env file`)
  return `${name}='${value}'`
}

/** Whole or not at all; the file keeps its mode, and a link stays one. Made when it is not there. */
export async function changeEnvFile(path: string, changes: Changes): Promise<void> {
  const target = await realpath(path).catch(() => path)
  const before = await readFile(target, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  // A file with keys in it is nobody else's to read.
  const mode = before === undefined ? 0o600 : (await stat(target)).mode & 0o777
  const draft = `${target}.${randomUUID().slice(0, 8)}.tmp`
  try {
    const file = await open(draft, 'wx', mode)
    try {
      await file.writeFile(withSettings(before ?? '', changes))
      await file.chmod(mode)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, target)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}
