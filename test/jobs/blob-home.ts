/** Blobs in a home of their own, and what tests ask of them. */
import { createHash } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Blobs } from '../../src/jobs/blobs.ts'

const MIB = 1024 ** 2

export async function startBlobs(openBlobs: (directory: string) => Promise<Blobs>) {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-blobs-'))
  return {
    directory,
    blobs: await openBlobs(directory),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}

export async function contentOf(blobs: Blobs, key: string, signal?: AbortSignal): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(blobs.read(key, signal)))
}

export async function hashOf(blobs: Blobs, key: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of blobs.read(key)) hash.update(chunk)
  return hash.digest('hex')
}

export async function keysOf(blobs: Blobs, beginning: string): Promise<string[]> {
  const listed = await Array.fromAsync(blobs.list(beginning))
  return listed.map(({ key }) => key).toSorted()
}

/** No part of it is like another. */
export async function largeFile(directory: string, sizeBytes: number) {
  const path = join(directory, 'large')
  const hash = createHash('sha256')
  const file = await open(path, 'w')
  for (let left = sizeBytes, block = 0; left > 0; left -= MIB, block += 1) {
    const bytes = Buffer.alloc(Math.min(MIB, left), `${block} `)
    hash.update(bytes)
    await file.write(bytes)
  }
  await file.close()
  return { path, sha256: hash.digest('hex') }
}
