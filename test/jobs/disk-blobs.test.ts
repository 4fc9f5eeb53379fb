// What is true of blobs in a directory alone.
import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { diskBlobs } from '../../src/jobs/disk-blobs.ts'
import { hashOf, keysOf, largeFile, startBlobs } from './blob-home.ts'

const MIB = 1024 ** 2
const onDisk = (directory: string) => diskBlobs(join(directory, 'blobs'))
/** Renaming does not reach from one file system into another. */
const hasMemoryFiles = await isOtherFileSystem('/dev/shm')

describe('blobs in a directory', () => {
  test('what killed processes have left half written is swept when it is opened, and nothing else', async () => {
    await using home = await startBlobs(onDisk)
    const incoming = join(home.directory, 'blobs', '.incoming')
    await writeFile(join(incoming, 'left-behind'), 'half')
    await writeFile(join(incoming, 'being-written'), 'half')
    const longAgo = new Date(Date.now() - 2 * 3_600_000)
    await utimes(join(incoming, 'left-behind'), longAgo, longAgo)
    await home.blobs.put('key', 'kept')
    await utimes(join(home.directory, 'blobs', 'key'), longAgo, longAgo)

    const reopened = await diskBlobs(join(home.directory, 'blobs'))

    expect(await readdir(incoming)).toEqual(['being-written'])
    expect(await keysOf(reopened, '')).toEqual(['key'])
  })

  test('the file that is had is the blob itself, and a taken file the same file under another name', async () => {
    await using home = await startBlobs(onDisk)
    const { path } = await largeFile(home.directory, MIB)
    const { ino } = await stat(path)

    await home.blobs.take('key', path)

    await using file = await home.blobs.asFile('key', home.directory)
    expect((await stat(file.path)).ino).toBe(ino)
  })

  test.runIf(hasMemoryFiles)('a file of another file system is copied whole, then gone', async () => {
    await using home = await startBlobs(onDisk)
    const elsewhere = await mkdtemp('/dev/shm/hviske-')
    try {
      const { path, sha256 } = await largeFile(elsewhere, 3 * MIB)

      await home.blobs.take('key', path)

      expect(await hashOf(home.blobs, 'key')).toBe(sha256)
      expect(await readdir(elsewhere)).toEqual([])
      expect(await readdir(join(home.directory, 'blobs', '.incoming'))).toEqual([])
    } finally {
      await rm(elsewhere, { recursive: true })
    }
  })
})

async function isOtherFileSystem(path: string): Promise<boolean> {
  const [there, here] = await Promise.all([stat(path).catch(() => undefined), stat(tmpdir())])
  return there !== undefined && there.dev !== here.dev
}
