import { expect, test } from 'vitest'
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
