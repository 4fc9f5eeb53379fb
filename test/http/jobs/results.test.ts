import { expect, test } from 'vitest'
import type { Afterwards } from '../../../src/afterwards/afterwards.ts'
import { afterwardsKey } from '../../../src/jobs/blob-keys.ts'
import { AsyncJobStatus, JobJson, JobVerboseJson, JobSchema } from '../../../src/http/jobs/job-schemas.ts'
import { begin, complete, SPOKEN } from '../../jobs/working.ts'
import { errorOf } from '../parts.ts'
import { startJobs } from './job-server.ts'

async function startWithResult(fields: Record<string, string> = {}) {
  const server = await startJobs()
  const { id } = await server.newJob(fields)
  await complete(await begin(server.jobQueue), server.blobs)
  return { server, id, result: (query = '') => server.request(`/v1/jobs/${id}/result${query}`) }
}

test.each([
  ['json', 'application/json', '{"text":"Toget kører klokken otte."'],
  ['text', 'text/plain; charset=utf-8', 'Toget kører klokken otte.\n'],
  ['srt', 'application/x-subrip; charset=utf-8', '1\n00:00:00,000 -->'],
  ['vtt', 'text/vtt; charset=utf-8', 'WEBVTT\n\n00:00:00.000 -->'],
  ['verbose_json', 'application/json', '{"task":"transcribe","language":"danish"'],
  ['md', 'text/markdown; charset=utf-8', '# møde.wav\n\n- Length: 0:02\n- Language: danish\n'],
])('a result can be had as %s, whatever was asked for', async (format, type, beginning) => {
  const { server, id, result } = await startWithResult({ response_format: 'srt' })
  await using _server = server

  const response = await result(`?format=${format}`)

  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe(type)
  expect(response.headers.get('x-job-id')).toBe(id)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(await response.text()).toMatch(new RegExp(`^${RegExp.escape(beginning)}`))
})

test('without a format it is the order’s, as a waiting client would have had it', async () => {
  const { server, result } = await startWithResult({
    response_format: 'verbose_json',
    'timestamp_granularities[]': 'word',
  })
  await using _server = server
  server.transcriber.transcript = SPOKEN
  const body = new FormData()
  body.append('file', new File(['audio'], 'a.wav'))
  body.append('response_format', 'verbose_json')
  body.append('timestamp_granularities[]', 'word')

  const waited = await server.request('/v1/audio/transcriptions', { method: 'POST', body })

  expect(await (await result()).json()).toEqual(await waited.json())
})

test('an unknown format is refused by name', async () => {
  const { server, result } = await startWithResult()
  await using _server = server

  expect(await errorOf(await result('?format=docx'))).toMatchObject({ status: 400, param: 'format' })
})

test('before its end a job has no result, and the refusal says how it stands', async () => {
  await using server = await startJobs()
  const { id } = await server.newJob()
  const result = async () => errorOf(await server.request(`/v1/jobs/${id}/result`))

  expect(await result()).toMatchObject({ status: 400, code: 'job_not_completed' })
  await begin(server.jobQueue)
  expect((await result()).message).toContain('it is processing')
  await server.jobQueue.cancel(id)
  expect((await result()).message).toContain('it was cancelled')
})

test.each([
  [{ code: 'no_audio_track', message: 'The file has no sound.', param: 'file' }, 400, 'no_audio_track'],
  [{ code: 'engine_crashed', message: 'The engine crashed.', param: null }, 500, 'engine_crashed'],
  [{ code: 'of_an_older_version', message: 'It was long ago.', param: null }, 500, 'internal_error'],
])('the result of a failed job is its failure: %j', async (failure, status, code) => {
  await using server = await startJobs()
  const { id } = await server.newJob()
  await (await begin(server.jobQueue)).fail(failure)

  const error = await errorOf(await server.request(`/v1/jobs/${id}/result`))

  expect(error).toMatchObject({ status, code, message: failure.message, param: failure.param })
})

test('a job that is deleted while its result is read is not there', async () => {
  const { server, id, result } = await startWithResult()
  await using _server = server
  server.blobs.beforeReading = async () => {
    await server.jobQueue.forget(id)
    server.blobs.kept.clear()
  }

  expect(await errorOf(await result())).toMatchObject({ status: 404, code: 'job_not_found' })
})

test('a result that is lost, while its job is there, is our fault', async () => {
  const { server, result } = await startWithResult()
  await using _server = server
  server.blobs.kept.clear()

  expect((await result()).status).toBe(500)
  expect(server.errors()).toHaveLength(1)
})

const MADE: Afterwards = {
  text: 'Toget kører\n\nklokken otte.',
  title: 'Toget',
  summary: 'Det kører.',
  model: 'small',
  steps: [
    { step: 'paragraphs', state: 'done', pieces: 1, refusedPieces: 0 },
    { step: 'of_another_version', state: 'done' },
    { step: 'summary', state: 'failed', message: 'It failed.' },
  ],
}

async function startWithSteps() {
  const server = await startJobs({ afterwards: new Set(['paragraphs', 'summary']) })
  const { id } = await server.newJob({ afterwards: 'summary,paragraphs,summary' })
  const lease = await begin(server.jobQueue)
  await server.blobs.put(afterwardsKey(id), JSON.stringify(MADE))
  return { server, id, lease }
}

test('a job tells how its steps stand, each of them once', async () => {
  const { server, id, lease } = await startWithSteps()
  await using _server = server
  const steps = async () => JobSchema.parse(await server.look(id)).afterwards

  const pending = ['summary', 'paragraphs'].map((step) => ({ step, status: 'pending' }))
  expect(await steps()).toEqual(pending) // what lies there is of an attempt that came to no end
  await complete(lease, server.blobs)

  expect(await steps()).toEqual([
    { step: 'summary', status: 'failed', message: 'It failed.' },
    { step: 'paragraphs', status: 'done', pieces: 1, refused_pieces: 0 },
  ])
  const other = await server.newJob({ afterwards: 'summary' })
  await server.jobQueue.cancel(other.id)
  expect(await server.look(other.id)).toMatchObject({ afterwards: [{ step: 'summary', status: 'skipped' }] })
  expect(await server.look((await server.newJob()).id)).not.toHaveProperty('afterwards')
})

test('what the steps have made stands beside the transcript, which stays what it was', async () => {
  const { server, id, lease } = await startWithSteps()
  await using _server = server
  await complete(lease, server.blobs)
  const json = async (path: string) => (await server.request(path)).json()
  const made = {
    text: MADE.text,
    title: 'Toget',
    summary: 'Det kører.',
    model: 'small',
    steps: [
      { step: 'paragraphs', status: 'done', pieces: 1, refused_pieces: 0 },
      { step: 'of_another_version', status: 'done' },
      { step: 'summary', status: 'failed', message: 'It failed.' },
    ],
  }
  const told = { text: SPOKEN.text, afterwards: made }

  expect(JobJson.parse(await json(`/v1/jobs/${id}/result?format=json`))).toMatchObject(told)
  expect(JobVerboseJson.parse(await json(`/v1/jobs/${id}/result?format=verbose_json`))).toMatchObject(told)
  expect(AsyncJobStatus.parse(await json(`/jobs/${id}/status`)).result).toMatchObject(told)
  expect(await json(`/download/${id}?fmt=json`)).toMatchObject(told)
  const text = await server.request(`/v1/jobs/${id}/result?format=text`)
  expect(await text.text()).toBe(`${SPOKEN.text}\n`)
  for (const path of [`/v1/jobs/${id}/result?format=md`, `/download/${id}?fmt=md`]) {
    const markdown = await (await server.request(path)).text()
    expect(markdown).toMatch(/^# Toget\n\n- Recording: møde\.wav\n/)
    expect(markdown).toContain(
      '\n## Text\n\nToget kører\n\nklokken otte.\n\n## As it was heard\n\n**[0:00]**',
    )
  }
})
