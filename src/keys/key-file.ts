/**
 * The file of the keys that `npm run keys` has made: hashes, and what an operator wants to know of each. It decides how the
 * file is read and changed, not which keys are good.
 */
import { open, readFile, rename, rm, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { SCOPES } from '../api-keys.ts'

const moment = z.iso.datetime()

const StoredKey = z.strictObject({
  /** The client's id in logs. */
  id: z.string().regex(/^[0-9a-f]{12}$/),
  name: z.string().min(1),
  /** SHA-256 of the key. The key has 256 random bits, so there is nothing that a slow hash would make slower to guess. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  scopes: z.array(z.enum(SCOPES)).min(1),
  created: moment,
  expires: moment.nullable(),
  revoked: moment.nullable(),
})
export type StoredKey = z.output<typeof StoredKey>

const KeyFile = z.strictObject({ version: z.literal(1), keys: z.array(StoredKey) })

/** @returns undefined when there is no such file. @throws Error for the operator. */
export async function readKeyFile(path: string): Promise<readonly StoredKey[] | undefined> {
  try {
    return KeyFile.parse(JSON.parse(await readFile(path, 'utf8'))).keys
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined
    const reason = errorCode(cause) ?? 'it is not what `npm run keys` writes'
    throw new Error(`the keys in ${path} cannot be read: ${reason}`, { cause })
  }
}

/**
 * Writes what `change` makes of the keys. Readers find the old file or the new one, never a half; two changes at once
 * would lose one of them, so the second is refused.
 *
 * @throws Error for the operator; what `change` throws.
 */
export async function changeKeyFile(
  path: string,
  change: (keys: readonly StoredKey[]) => readonly StoredKey[],
): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const next = `${path}.new` // also the lock: only one can make it
  const file = await open(next, 'wx', 0o600).catch((cause: unknown) => {
    throw errorCode(cause) === 'EEXIST' ? anotherChange(next, cause) : cause
  })
  try {
    const keys = change((await readKeyFile(path)) ?? [])
    await file.writeFile(`${JSON.stringify({ version: 1, keys }, null, 2)}\n`)
    await file.sync()
    await file.close()
    await rename(next, path)
  } catch (error) {
    await file.close()
    await rm(next, { force: true })
    throw error
  }
}

function anotherChange(path: string, cause: unknown): Error {
  const mend = `Try again; if that does not help, no other command is running and ${path} can be deleted.`
  return new Error(`another command is changing the keys. ${mend}`, { cause })
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
