/** A second name for somebody else's file, which outlives the first. It does not know what is in the file. */
import { randomUUID } from 'node:crypto'
import { link, rm } from 'node:fs/promises'
import { join } from 'node:path'

export interface OwnName extends AsyncDisposable {
  readonly path: string
}

/**
 * A hard link: nothing is copied, and the disk is free when both names are gone.
 *
 * @throws Error where the file system knows no such thing, or the directory lies on another one.
 */
export async function giveOwnName(path: string, directory: string): Promise<OwnName> {
  const own = join(directory, `${randomUUID()}.shared`)
  await link(path, own)
  return { path: own, [Symbol.asyncDispose]: () => rm(own, { force: true }) }
}
