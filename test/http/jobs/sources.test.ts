/** Recordings that an order names instead of bringing them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Failure } from '../../../src/failure.ts'
import { audioKey } from '../../../src/jobs/blob-keys.ts'
import { errorOf, form } from '../parts.ts'
import { fieldsOnly, startJobs } from './job-server.ts'

test('a URL is asked about before it becomes a job, and nothing is fetched yet', async () => {
  const asked: string[] = []
  await using server = await startJobs({ requireUrlAllowed: (url) => void asked.push(url) })
  const url = 'https://media.example.com/2026/m%C3%B8de%201.mp4?sig=x'

  const job = await server.newJob({}, { body: fieldsOnly({ url }) })

  expect(asked).toEqual([url])
  expect(job).toMatchObject({ source: 'url', file_name: 'møde 1.mp4' })
  expect(JSON.stringify(job)).not.toContain('sig=x')
  expect((await server.jobQueue.find(job.id))?.order.input).toEqual({ kind: 'url', url })
  expect([...server.blobs.kept.keys()]).toEqual([])
})

test('an empty file beside a URL is the empty input of a form', async () => {
  await using server = await startJobs({ requireUrlAllowed: () => {} })

  expect(await server.newJob({}, { body: form({ url: 'https://example.com/a.wav' }, '') })).toMatchObject({
    source: 'url',
  })
})

test('an object of an S3 store is named by its URL', async () => {
  const asked: string[][] = []
  await using server = await startJobs({ requireS3Source: (bucket, key) => void asked.push([bucket, key]) })

  const job = await server.newJob({}, { body: fieldsOnly({ url: 's3://films/2026/l%C3%B8b.mp4' }) })

  expect(job).toMatchObject({ source: 's3', file_name: 'løb.mp4' })
  expect(asked).toEqual([['films', '2026/løb.mp4']])
})

test.each([
  ['https://example.com/a.wav', 'ALLOW_URL'],
  ['s3://films/a.wav', 'reads from no S3 store'],
  ['s3://films', 's3://bucket/key'],
  ['s3://films/100%.wav', '%25'],
  ['s3://films/take#2.wav', '%23'],
  ['s3://films/what?.wav', '%3F'],
  ['file:///etc/passwd', 'https, http or s3'],
  ['a.wav', 'https, http or s3'],
])('the URL %s is refused where nothing allows it', async (url, words) => {
  await using server = await startJobs()

  const error = await errorOf(await server.handIn({}, { body: fieldsOnly({ url }) }))

  expect(error).toMatchObject({
    status: 400,
    param: 'url',
    message: expect.stringContaining(words) as unknown,
  })
})

test('a step, a path in the bucket and a callback are kept when they are allowed', async () => {
  await using server = await startJobs({
    afterwards: new Set(['summary']),
    requireS3Path: () => {},
    requireCallbackAllowed: () => {},
  })

  const { id } = await server.newJob({
    'afterwards[]': ['summary'],
    s3_path: 'results/a',
    callback_url: 'https://example.com/told',
  })

  expect((await server.jobQueue.find(id))?.order).toMatchObject({
    afterwards: ['summary'],
    s3Path: 'results/a',
    callbackUrl: 'https://example.com/told',
  })
})

/** Uploads that came before, each to be had once. */
async function startWithUpload() {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-uploads-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const path = join(directory, 'upload')
  await writeFile(path, 'a long recording')
  const waiting = new Set(['up-1'])
  const let_go: string[] = []
  const server = await startJobs({
    takeUpload: async (id) => {
      if (!waiting.delete(id)) throw new Failure('not_found', `There is no upload ${id}.`)
      return {
        path,
        sizeBytes: 16,
        name: 'film.mp4',
        [Symbol.asyncDispose]: async () => {
          await rm(path, { force: true }) // whoever still needs it has disposed of it too early
          let_go.push(id)
        },
      }
    },
  })
  return { server, let_go }
}

test('a recording that was uploaded before becomes a job', async () => {
  const { server, let_go } = await startWithUpload()
  await using _server = server

  const job = await server.newJob({}, { body: fieldsOnly({ upload_id: 'up-1' }) })

  expect(job).toMatchObject({ source: 'file', file_name: 'film.mp4' })
  expect(server.blobs.kept.get(audioKey(job.id))?.toString()).toBe('a long recording')
  expect(let_go).toEqual(['up-1'])
})

test('a repetition of such an order finds its job, though the upload has been taken', async () => {
  const { server } = await startWithUpload()
  await using _server = server
  const post = (key: string, fields: Record<string, string> = {}) =>
    server.handIn(
      {},
      { body: fieldsOnly({ upload_id: 'up-1', ...fields }), headers: { 'idempotency-key': key } },
    )
  const first = (await (await post('monday')).json()) as { id: string }

  const again = await post('monday')

  expect(again.status).toBe(200)
  expect(await again.json()).toMatchObject({ id: first.id })
  expect((await post('tuesday')).status).toBe(404)
  expect((await post('monday', { language: 'en' })).status).toBe(409)
})
