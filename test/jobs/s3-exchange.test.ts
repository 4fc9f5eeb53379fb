// Recordings from the bucket of the settings, results into it: against a real S3 server.
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { s3ClientOf } from '../../src/jobs/s3-client.ts'
import { createS3Exchange, requireS3 } from '../../src/jobs/s3-exchange.ts'
import { requireReadable, resultKeys } from '../../src/jobs/s3-path.ts'
import { diskRoomOf } from '../../src/upload/disk-room.ts'
import { BUCKET, startS3 } from './s3-server.ts'

const PLACES = { bucket: BUCKET, ownPrefix: 'hviske/' }
let s3: Awaited<ReturnType<typeof startS3>>
beforeAll(async () => {
  s3 = await startS3()
})
afterAll(async () => s3[Symbol.asyncDispose]())

test('a recording is fetched from the bucket: its bytes, hash, size and name', async () => {
  await using home = await start()
  await home.object('talks/monday.wav', 'sound')

  const fetched = await home.fetch('talks/monday.wav')

  expect(await readFile(fetched.path, 'utf8')).toBe('sound')
  const sha256 = createHash('sha256').update('sound').digest('hex')
  expect(fetched).toEqual({ path: fetched.path, name: 'monday.wav', sizeBytes: 5, sha256 })
})

test.each([
  ['url_unreachable', 'not/there.wav', BUCKET],
  ['url_not_allowed', 'talks/monday.wav', 'foreign'],
  ['url_not_allowed', 'hviske/jobs/1/audio', BUCKET],
  ['file_too_large', 'large', BUCKET],
  ['empty_file', 'empty', BUCKET],
])('%s: %s of %s, and no file is left', async (code, key, bucket) => {
  await using home = await start(100)
  await home.object('large', 'x'.repeat(101))
  await home.object('empty', '')

  await expect(home.fetch(key, bucket)).rejects.toMatchObject({ code, param: 'url' })

  expect(await readdir(home.directory)).toEqual([])
})

test("a store that does not answer is our failure, not the client's", async () => {
  await using home = await start()
  const elsewhere = s3ClientOf({ ...s3.settings, endpointUrl: 'http://127.0.0.1:1' })
  const exchange = createS3Exchange(elsewhere, PLACES)
  const { signal } = new AbortController()

  await expect(exchange.deliver('a', { json: '{}', md: '' }, signal)).rejects.toMatchObject({
    code: 's3_failed',
  })
  const fetching = exchange.fetchObject({ bucket: BUCKET, key: 'a' }, home.path, home.limits, signal)
  await expect(fetching).rejects.toMatchObject({ code: 's3_failed', status: 500 })
  elsewhere.destroy()
})

test('a bucket that is not there is our failure', async () => {
  const exchange = createS3Exchange(s3.client, { ...PLACES, bucket: 'nobodys' })

  const delivering = exchange.deliver('a', { json: '{}', md: '' }, new AbortController().signal)

  await expect(delivering).rejects.toMatchObject({ code: 's3_failed' })
})

test('whoever has given up is not fetched for', async () => {
  await using home = await start()
  await home.object('a.wav', 'sound')

  await expect(home.fetch('a.wav', BUCKET, AbortSignal.abort(new Error('gave up')))).rejects.toThrow(
    'gave up',
  )
  expect(await readdir(home.directory)).toEqual([])
})

test('a result is written as JSON and as Markdown, as what it is', async () => {
  const exchange = createS3Exchange(s3.client, PLACES)

  await exchange.deliver(
    'talks/møde 1',
    { json: '{"text":"blå"}', md: '# blå' },
    new AbortController().signal,
  )

  for (const [key, type, content] of [
    ['talks/møde 1.json', 'application/json', '{"text":"blå"}'],
    ['talks/møde 1.md', 'text/markdown; charset=utf-8', '# blå'],
  ]) {
    const found = await s3.client.send(new GetObjectCommand({ Bucket: BUCKET, Key: key }))
    expect(found.ContentType).toBe(type)
    expect(await found.Body?.transformToString()).toBe(content)
  }
})

test.each([
  ['talks/monday', 'talks/monday'],
  ['talks/monday.json', 'talks/monday'],
  ['talks/monday.md', 'talks/monday'],
  ['talks/', 'talks/transcript'],
  ['monday', 'monday'],
  ['v1.2/monday', 'v1.2/monday'],
  [`s3://${BUCKET}/talks/monday`, 'talks/monday'],
])('the results of s3_path %s lie at %s.json and .md', (path, named) => {
  expect(resultKeys(path, PLACES)).toEqual({ json: `${named}.json`, md: `${named}.md` })
})

test.each([
  '',
  '/',
  '/talks/monday',
  'talks//monday',
  '../monday',
  'talks/../../monday',
  './monday',
  'talks/..',
  'a\\b',
  'a\nb',
  'a\u0000b',
  '\ud800',
  '.json',
  's3://foreign/monday',
  'hviske/jobs/1/audio',
  'x'.repeat(513),
])('the s3_path %j is refused', (path) => {
  expect(() => resultKeys(path, PLACES)).toThrow(
    expect.objectContaining({ code: 'invalid_value', param: 's3_path' }) as Failure,
  )
})

test('what may be read is an object of the bucket of the settings, by a name that leads nowhere else', () => {
  expect(() => requireReadable({ bucket: BUCKET, key: 'talks/mån dag..wav' }, PLACES)).not.toThrow()
})

test.each([
  ['foreign', 'a', 'another bucket'],
  [BUCKET, 'hviske/jobs/1/audio', 'keeps for itself'],
  [BUCKET, 'talks/../hviske/jobs/1/audio', 'a step . or ..'],
  [BUCKET, './hviske/jobs/1/audio', 'a step . or ..'],
  [BUCKET, '..', 'a step . or ..'],
  [BUCKET, 'x'.repeat(1025), 'more than 1024 bytes'],
])('of bucket %s the object %s may not be read: %s', (bucket, key, why) => {
  expect(() => requireReadable({ bucket, key }, PLACES)).toThrow(
    expect.objectContaining({
      code: 'url_not_allowed',
      message: expect.stringContaining(why) as unknown,
    }) as Failure,
  )
})

test.each([
  [{}, 'AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, S3_STORAGE_BUCKET'],
  [{ accessKeyId: 'a', secretAccessKey: '' }, 'AWS_SECRET_ACCESS_KEY, S3_STORAGE_BUCKET'],
  [{ accessKeyId: 'a', secretAccessKey: 'b' }, 'S3_STORAGE_BUCKET'],
])('with %j a request that needs the store is told what is not set: %s', (environment, names) => {
  expect(() => requireS3(environment, 's3_path')).toThrow(
    expect.objectContaining({ code: 's3_not_configured', param: 's3_path', status: 400 }) as Failure,
  )
  expect(() => requireS3(environment, 's3_path')).toThrow(`not set are ${names}.`)
})

test('with all three set there is a store', () => {
  const environment = {
    accessKeyId: 'a',
    secretAccessKey: 'b',
    bucket: 'c',
    endpointUrl: undefined,
    region: '',
  }

  expect(requireS3(environment, 'url')).toEqual({ accessKeyId: 'a', secretAccessKey: 'b', bucket: 'c' })
})

async function start(maxBytes = 1024 ** 2) {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-s3-exchange-'))
  const path = join(directory, 'fetched')
  const limits = { maxBytes, disk: diskRoomOf(directory, 0) }
  const exchange = createS3Exchange(s3.client, PLACES)
  return {
    directory,
    path,
    limits,
    object: (Key: string, Body: string) =>
      s3.client.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body, ContentLength: Body.length })),
    fetch: (key: string, bucket = BUCKET, signal = new AbortController().signal) =>
      exchange.fetchObject({ bucket, key }, path, limits, signal),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}
