import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Failure } from '../../../src/failure.ts'
import { JobSchema } from '../../../src/http/jobs/job-schemas.ts'
import { audioKey } from '../../../src/jobs/blob-keys.ts'
import { errorOf, FACTS, form } from '../parts.ts'
import { fieldsOnly, keyed, startJobs } from './job-server.ts'

test('a recording that is handed in is a job: 202, where it is, and what is known of it', async () => {
  await using server = await startJobs()

  const response = await server.handIn({ response_format: 'srt', language: 'dansk' })

  const job = JobSchema.parse(await response.json())
  expect(response.status).toBe(202)
  expect(response.headers.get('location')).toBe(`/v1/jobs/${job.id}`)
  expect(response.headers.get('x-job-id')).toBe(job.id)
  expect(job).toEqual({
    id: job.id,
    object: 'job',
    status: 'pending',
    lane: 'batch',
    source: 'file',
    file_name: 'møde.wav',
    task: 'transcribe',
    language: 'da',
    response_format: 'srt',
    created_at: 1_790_000_000,
    started_at: null,
    ended_at: null,
    expires_at: null,
    attempts: 0,
    position: 0,
    error: null,
    metadata: {},
  })
  expect(server.blobs.kept.get(audioKey(job.id))?.toString()).toBe('audio')
  expect(await server.leftovers()).toEqual([])
})

test('a job is asked for words, so that any format can be told later; a translation has none', async () => {
  await using server = await startJobs()
  const [spoken, translated] = [await server.newJob(), await server.newJob({ task: 'translate' })]

  const [first, second] = await Promise.all([spoken, translated].map(({ id }) => server.jobQueue.find(id)))

  expect(first?.order.options).toMatchObject({ wantsWords: true, wantsDeltas: false, wantsLogprobs: false })
  expect(second?.order.options).toMatchObject({ task: 'translate', wantsWords: false })
})

test('every field of a transcription is a field of a job', async () => {
  await using server = await startJobs()

  const { id } = await server.newJob({
    'timestamp_granularities[]': ['word'],
    'keywords[]': ['Ærø'],
    'include[]': ['logprobs'],
    prompt: 'Kære Lone',
    temperature: '0.2',
    chunking_strategy: '{"type":"server_vad","silence_duration_ms":700}',
    guards: 'false',
    stream: 'true', // a job has events instead
    keep_audio: 'yes',
  })

  expect((await server.jobQueue.find(id))?.order).toMatchObject({
    options: {
      keywords: ['Ærø'],
      prompt: 'Kære Lone',
      temperature: 0.2,
      speechDetection: { silenceMs: 700 },
      wantsGuards: false,
      wantsLogprobs: true,
      wantsDeltas: false,
    },
    rendering: { hasWords: true, hasLogprobs: true },
    keepsAudio: true,
  })
})

test.each([
  [{}, {}, 'batch'],
  [{ transcription_tier: 'realtime' }, {}, 'interactive'],
  [{ transcription_tier: 'deferred' }, {}, 'batch'],
  [{ lane: 'interactive' }, {}, 'interactive'],
  [{ lane: 'batch', transcription_tier: 'realtime' }, {}, 'batch'],
  [{}, { 'x-transcription-tier': 'realtime' }, 'interactive'],
])('%j with the headers %j goes to the lane %s', async (fields, headers, lane) => {
  await using server = await startJobs()

  expect(await server.newJob(fields, { headers })).toMatchObject({ lane })
})

test('JSON with the recording in base64 does as well', async () => {
  await using server = await startJobs()
  const body = JSON.stringify({
    input_audio: { data: Buffer.from('audio').toString('base64') },
    metadata: { project: '41' },
  })

  const job = await server.newJob({}, { body, headers: { 'content-type': 'application/json' } })

  expect(job).toMatchObject({ metadata: { project: '41' } })
  expect(job).not.toHaveProperty('file_name')
  expect(server.blobs.kept.get(audioKey(job.id))?.toString()).toBe('audio')
})

test('a job waits for an engine that is not there yet, and for room on the road', async () => {
  await using server = await startJobs()
  server.engine.state = { phase: 'loading', message: 'downloading', fraction: 0.1, readyInSeconds: 600 }
  server.door.requireRoom = () => {
    throw new Failure('queue_full', 'full')
  }

  expect((await server.handIn()).status).toBe(202)

  server.engine.state = { phase: 'ready', facts: FACTS }
})

test.each([
  [{ metadata: '{"project":"41","n":7}' }, { project: '41', n: '7' }],
  [
    { 'metadata[project]': '41', 'metadata[a b]': 'ø' },
    { project: '41', 'a b': 'ø' },
  ],
])('metadata written as %j is told back', async (fields, metadata) => {
  await using server = await startJobs()

  const { id } = await server.newJob(fields)

  expect(await server.look(id)).toMatchObject({ metadata })
})

test.each([
  [{ metadata: '[]' }, 'metadata', 'no JSON object'],
  [{ metadata: '{' }, 'metadata', 'no JSON object'],
  [{ metadata: '{"a":{"b":"c"}}' }, 'metadata', 'a list or an object'],
  [{ 'metadata[a][b]': 'c' }, 'metadata', 'a list or an object'],
  [{ metadata: JSON.stringify({ ['k'.repeat(65)]: 'v' }) }, 'metadata', '65 characters'],
  [{ metadata: JSON.stringify({ k: 'v'.repeat(513) }) }, 'metadata', 'more than 512'],
  [
    { metadata: JSON.stringify(Object.fromEntries(Array.from({ length: 17 }, (_, n) => [n, 'v']))) },
    'metadata',
    'more than 16',
  ],
  [{ url: 'https://example.com/a.wav' }, 'url', 'exactly one of file, url, upload_id'],
  [{ s3_path: 'results/a' }, 's3_path', 'AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and S3_STORAGE_BUCKET'],
  [{ callback_url: 'https://example.com' }, 'callback_url', 'the server calls nobody'],
  [{ 'afterwards[]': ['summary'] }, 'afterwards', 'no steps are set up here'],
  [{ lane: 'fast' }, 'lane', 'one of interactive, batch'],
  [{ response_format: 'md' }, 'response_format', 'one of json'],
  [{ model: 'gpt-5' }, 'model', 'not loaded'],
])('%j is refused by name, and nothing is kept', async (fields, param, words) => {
  await using server = await startJobs()

  const error = await errorOf(await server.handIn(fields))

  expect(error).toMatchObject({ param, message: expect.stringContaining(words) as unknown })
  expect([...server.blobs.kept.keys()]).toEqual([])
  expect(await server.leftovers()).toEqual([])
})

test('without any recording the refusal says what is missing', async () => {
  await using server = await startJobs()

  const error = await errorOf(await server.handIn({}, { body: fieldsOnly({ language: 'da' }) }))

  expect(error).toMatchObject({ status: 400, code: 'missing_file' })
})

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

test('the same order under the same Idempotency-Key is the same job: 200, its header says so, and nothing is kept twice', async () => {
  await using server = await startJobs()
  const headers = { 'idempotency-key': 'monday' }
  const first = await server.newJob({}, { headers })

  const again = await server.handIn({}, { headers })

  expect(again.status).toBe(200)
  expect(again.headers.get('idempotent-replayed')).toBe('true')
  expect(again.headers.get('location')).toBe(`/v1/jobs/${first.id}`)
  expect(await again.json()).toEqual(first)
  expect([...server.blobs.kept.keys()]).toEqual([audioKey(first.id)])
})

test('another order under the same Idempotency-Key is a 409 that SDKs do not repeat', async () => {
  await using server = await startJobs()
  const headers = { 'idempotency-key': 'monday' }
  const { id } = await server.newJob({}, { headers })

  for (const other of [
    await server.handIn({ language: 'en' }, { headers }),
    await server.handIn({}, { headers, body: form({}, 'other audio') }),
  ]) {
    expect(other.headers.get('x-should-retry')).toBe('false')
    expect(await errorOf(other)).toMatchObject({
      status: 409,
      type: 'invalid_request_error',
      code: 'idempotency_key_reused',
      param: 'Idempotency-Key',
      message: expect.stringContaining(id) as unknown,
    })
  }
  expect([...server.blobs.kept.keys()]).toEqual([audioKey(id)])
})

test('the keys of two clients are two keys', async () => {
  await using server = await startJobs({}, { keys: ['sk-a', 'sk-b'] })
  const post = (key: string) =>
    server.newJob({}, { headers: { 'idempotency-key': 'monday', ...keyed(key).headers } })

  expect((await post('sk-a')).id).not.toBe((await post('sk-b')).id)
})

test('what cannot be kept is not a job', async () => {
  await using server = await startJobs()
  server.blobs.full = new Failure('insufficient_storage', 'The disk is full.')

  expect((await server.handIn()).status).toBe(507)
  expect(await server.jobQueue.list({ limit: 10 })).toEqual([])
  expect(await server.leftovers()).toEqual([])
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
        [Symbol.asyncDispose]: async () => void let_go.push(id),
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
