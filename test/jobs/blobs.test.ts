// One contract for all places where blobs lie: a directory, and a real S3 server.
import { access, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BlobMissing } from '../../src/jobs/blobs.ts'
import { diskBlobs } from '../../src/jobs/disk-blobs.ts'
import { s3Blobs } from '../../src/jobs/s3-blobs.ts'
import { contentOf, hashOf, keysOf, largeFile, startBlobs } from './blob-home.ts'
import { BUCKET, startS3 } from './s3-server.ts'

const MIB = 1024 ** 2
const GAVE_UP = /gave up|aborted/
let stores = 0

const PLACES = [
  { place: 'a directory', openBlobs: async (directory: string) => diskBlobs(join(directory, 'blobs')) },
  {
    place: 'an S3 server',
    openBlobs: async () => {
      stores += 1
      return s3Blobs({ client: s3.client, bucket: BUCKET, prefix: `store-${stores}/` })
    },
  },
]

let s3: Awaited<ReturnType<typeof startS3>>
beforeAll(async () => {
  s3 = await startS3()
})
afterAll(async () => s3[Symbol.asyncDispose]())

describe.each(PLACES)('blobs in $place', ({ openBlobs }) => {
  test('what was put is read, byte for byte, and has its size', async () => {
    await using home = await startBlobs(openBlobs)
    const { blobs } = home
    const bytes = Buffer.from([0, 255, 10, 13, 128])

    await blobs.put('results/a1.json', bytes)
    await blobs.put('results/a2.json', 'blåbær')

    expect(await contentOf(blobs, 'results/a1.json')).toEqual(bytes)
    expect(String(await contentOf(blobs, 'results/a2.json'))).toBe('blåbær')
    expect(await blobs.sizeOf('results/a2.json')).toBe(Buffer.byteLength('blåbær'))
  })

  test('a blob may be empty', async () => {
    await using home = await startBlobs(openBlobs)

    await home.blobs.put('empty', '')

    expect(await home.blobs.sizeOf('empty')).toBe(0)
    expect(await contentOf(home.blobs, 'empty')).toHaveLength(0)
  })

  test('the last one that was put under a key is the one that is there', async () => {
    await using home = await startBlobs(openBlobs)

    await home.blobs.put('key', 'a long first one')
    await home.blobs.put('key', 'second')

    expect(String(await contentOf(home.blobs, 'key'))).toBe('second')
  })

  test('a file that is taken is a blob, and no longer a file', async () => {
    await using home = await startBlobs(openBlobs)
    const path = join(home.directory, 'recording')
    await writeFile(path, 'sound')

    await home.blobs.take('jobs/1/audio', path)

    expect(String(await contentOf(home.blobs, 'jobs/1/audio'))).toBe('sound')
    await expect(access(path)).rejects.toThrow('ENOENT')
  })

  test('a file of many parts comes back as it was', async () => {
    await using home = await startBlobs(openBlobs)
    const { path, sha256 } = await largeFile(home.directory, 27 * MIB + 3)

    await home.blobs.take('large', path)

    expect(await home.blobs.sizeOf('large')).toBe(27 * MIB + 3)
    expect(await hashOf(home.blobs, 'large')).toBe(sha256)
  })

  test('what is not there has no size, cannot be read and is no file', async () => {
    await using home = await startBlobs(openBlobs)
    const { blobs, directory } = home
    await blobs.put('there/is', 'something')

    for (const key of ['nothing', 'there', 'there/is/more']) {
      expect(await blobs.sizeOf(key)).toBeUndefined()
      await expect(contentOf(blobs, key)).rejects.toThrow(BlobMissing)
      await expect(blobs.asFile(key, directory)).rejects.toThrow(BlobMissing)
    }
  })

  test('a blob can be had as a file of this machine, and outlives it', async () => {
    await using home = await startBlobs(openBlobs)
    await home.blobs.put('audio', 'sound')
    const directory = join(home.directory, 'work')

    {
      await using file = await home.blobs.asFile('audio', directory)
      expect(await readFile(file.path, 'utf8')).toBe('sound')
    }

    expect(String(await contentOf(home.blobs, 'audio'))).toBe('sound')
    expect(await readdir(directory).catch(() => [])).toEqual([])
  })

  test('blobs are listed by the beginning of their keys, with sizes and times', async () => {
    await using home = await startBlobs(openBlobs)
    const { blobs } = home
    for (const key of ['jobs/a/audio', 'jobs/a/result', 'jobs/ab/audio', 'other']) await blobs.put(key, key)

    expect(await keysOf(blobs, 'jobs/a/')).toEqual(['jobs/a/audio', 'jobs/a/result'])
    expect(await keysOf(blobs, 'jobs/a')).toEqual(['jobs/a/audio', 'jobs/a/result', 'jobs/ab/audio'])
    expect(await keysOf(blobs, '')).toEqual(['jobs/a/audio', 'jobs/a/result', 'jobs/ab/audio', 'other'])
    expect(await keysOf(blobs, 'jobs/b')).toEqual([])
    expect(await keysOf(blobs, 'nowhere/at/all')).toEqual([])
    const [listed] = await Array.fromAsync(blobs.list('other'))
    expect(listed).toMatchObject({ key: 'other', sizeBytes: 5 })
    expect(Math.abs((listed?.storedAtMs ?? 0) - Date.now())).toBeLessThan(60_000)
  })

  test('what begins so is removed, and nothing else; nothing to remove is no mistake', async () => {
    await using home = await startBlobs(openBlobs)
    const { blobs } = home
    for (const key of ['jobs/a/audio', 'jobs/a/result', 'jobs/ab/audio', 'jobs/b']) await blobs.put(key, key)

    await blobs.remove('jobs/a/')
    await blobs.remove('jobs/a/')
    await blobs.remove('nowhere/at/all')
    expect(await keysOf(blobs, '')).toEqual(['jobs/ab/audio', 'jobs/b'])

    await blobs.remove('jobs/b')
    await blobs.remove('jobs/ab')
    expect(await keysOf(blobs, '')).toEqual([])
    await blobs.put('jobs/a/audio', 'again')
    expect(await keysOf(blobs, '')).toEqual(['jobs/a/audio'])
  })

  test('more blobs than a page of S3 are listed and removed', async () => {
    await using home = await startBlobs(openBlobs)
    const { blobs } = home
    await blobs.put('many/kept', '') // the tests' server trips over directories that become empty meanwhile
    for (let first = 0; first < 1100; first += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, index) => blobs.put(`many/n${first + index}`, '')))
    }

    expect(await keysOf(blobs, 'many/n')).toHaveLength(1100)
    await blobs.remove('many/n')
    expect(await keysOf(blobs, 'many/n')).toEqual([])
  })

  test.each([
    '',
    '/etc/passwd',
    '../up',
    'a/../b',
    'a//b',
    'a/',
    '.hidden',
    'a/.b',
    'Å',
    'A',
    'a b',
    'a\\b',
    'a\0',
    'a'.repeat(513),
  ])('the key %j is none: nothing leaves the place', async (key) => {
    await using home = await startBlobs(openBlobs)
    const { blobs, directory } = home
    const path = join(directory, 'recording')
    await writeFile(path, 'sound')

    await expect(blobs.put(key, 'x')).rejects.toThrow('not a key')
    await expect(blobs.take(key, path)).rejects.toThrow('not a key')
    await expect(blobs.sizeOf(key)).rejects.toThrow('not a key')
    await expect(contentOf(blobs, key)).rejects.toThrow('not a key')
    await expect(blobs.asFile(key, directory)).rejects.toThrow('not a key')
    expect(await readFile(path, 'utf8')).toBe('sound')
  })

  test.each(['/', '../', 'a/../', '.incoming', 'A'])('%j is no beginning', async (beginning) => {
    await using home = await startBlobs(openBlobs)

    await expect(home.blobs.remove(beginning)).rejects.toThrow('not the beginning')
    await expect(keysOf(home.blobs, beginning)).rejects.toThrow('not the beginning')
  })

  test('nobody removes everything by losing an id', async () => {
    await using home = await startBlobs(openBlobs)
    await home.blobs.put('key', 'kept')

    await expect(home.blobs.remove('')).rejects.toThrow('would remove all')
    expect(await keysOf(home.blobs, '')).toEqual(['key'])
  })

  test('whoever has given up stores nothing, and what was there stays', async () => {
    await using home = await startBlobs(openBlobs)
    const { blobs } = home
    const { path } = await largeFile(home.directory, MIB)
    const gaveUp = AbortSignal.abort(new Error('gave up'))
    await blobs.put('key', 'before')

    await expect(blobs.put('key', 'after', gaveUp)).rejects.toThrow(GAVE_UP)
    await expect(blobs.take('key', path, gaveUp)).rejects.toThrow('gave up')
    await expect(contentOf(blobs, 'key', gaveUp)).rejects.toThrow(GAVE_UP)

    expect(String(await contentOf(blobs, 'key'))).toBe('before')
    expect((await stat(path)).size).toBe(MIB)
  })

  test('a file that is not there cannot be taken, and what was there stays', async () => {
    await using home = await startBlobs(openBlobs)
    await home.blobs.put('key', 'before')

    await expect(home.blobs.take('key', join(home.directory, 'none'))).rejects.toThrow('ENOENT')

    expect(String(await contentOf(home.blobs, 'key'))).toBe('before')
  })

  test("blobs put and removed at once in the same place do not get in each other's way", async () => {
    await using home = await startBlobs(openBlobs)
    const { blobs } = home

    const keys = Array.from({ length: 40 }, (_, index) => `jobs/j${index % 3}/n${index + 10}`)

    await Promise.all(
      keys.map(async (key, index) => {
        await blobs.put(key, key)
        if (index % 2 === 0) await blobs.remove(key)
      }),
    )

    const kept = keys.filter((_, index) => index % 2 === 1)
    expect(await keysOf(blobs, 'jobs/')).toEqual(kept.toSorted())
  })
})
