/** The dialect of a pipeline for videos, whose document is quoted. Methods, bodies and errors it leaves open. */
import { expect, test } from 'vitest'
import { Failure } from '../../../src/failure.ts'
import type { JobParts } from '../../../src/http/parts.ts'
import { Queue, ReleasedTask, Task, TaskStatus } from '../../../src/http/jobs/job-schemas.ts'
import { TranscribeResponse } from '../../../src/http/response-schemas.ts'
import { begin, complete } from '../../jobs/working.ts'
import { errorOf, form } from '../parts.ts'
import { fieldsOnly, startJobs } from './job-server.ts'

const URL_OF_A_FILM = 'https://media.example.com/film.mp4'

async function start(jobs: Partial<JobParts> = {}) {
  const server = await startJobs({ requireUrlAllowed: () => {}, requireS3Path: () => {}, ...jobs })
  const post = (body: FormData) => server.request('/transcribe', { method: 'POST', body })
  return {
    ...server,
    post,
    async newTask(fields: Record<string, string> = { url: URL_OF_A_FILM }) {
      return Task.parse(await (await post(fieldsOnly(fields))).json()).task_id
    },
    status: async (id: string) => TaskStatus.parse(await (await server.request(`/status/${id}`)).json()),
    download: (id: string, query = '') => server.request(`/download/${id}${query}`),
  }
}

test('“/transcribe: … or optionally a URL … and return a task ID”', async () => {
  await using server = await start()

  const response = await server.post(fieldsOnly({ url: URL_OF_A_FILM, language: 'da' }))

  const { task_id } = Task.parse(await response.json())
  expect(response.status).toBe(202)
  expect(response.headers.get('location')).toBe(`/status/${task_id}`)
  expect((await server.jobQueue.find(task_id))?.order).toMatchObject({
    input: { kind: 'url', url: URL_OF_A_FILM },
    fileName: 'film.mp4',
    options: { language: 'da', wantsWords: true },
  })
})

test('“If an s3 path is specified using the argument s3_path, the transcription results are stored in S3 at that path”', async () => {
  await using server = await start()

  const { task_id } = Task.parse(await (await server.post(form({ s3_path: 'talks/monday' }))).json())

  expect((await server.jobQueue.find(task_id))?.order).toMatchObject({
    s3Path: 'talks/monday',
    fileName: 'møde.wav',
    input: { kind: 'blob' },
  })
})

test('a file alone is transcribed while its client waits, and an empty field changes nothing', async () => {
  await using server = await start()

  const response = await server.post(form({ url: '', s3_path: ' ' }))

  expect(response.status).toBe(200)
  expect(TranscribeResponse.parse(await response.json()).text).toBe('Toget kører klokken otte.')
  expect(await server.jobQueue.list({ limit: 1 })).toEqual([])
})

test('“Transcribe returns an error if an s3_path is specified and the S3 environment [variables] are not set ( AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, S3_STORAGE_BUCKET)”', async () => {
  await using server = await start({ requireS3Path: undefined })

  const error = await errorOf(await server.post(form({ s3_path: 'talks/monday' })))

  expect(error).toMatchObject({ status: 400, param: 's3_path' })
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'S3_STORAGE_BUCKET'])
    expect(error.message).toContain(name)
})

test('“/status/<task_id>: … pending, processing, completed, or failed”', async () => {
  await using server = await start()
  const id = await server.newTask()
  const seen = [await server.status(id)]
  const lease = await begin(server.jobQueue)
  seen.push(await server.status(id))
  await complete(lease, server.blobs)
  seen.push(await server.status(id))

  expect(seen).toEqual(['pending', 'processing', 'completed'].map((status) => ({ task_id: id, status })))
  const other = await server.newTask()
  await (await begin(server.jobQueue)).fail({ code: 'url_unreachable', message: 'Gone.', param: 'url' })
  expect(await server.status(other)).toEqual({ task_id: other, status: 'failed', error: 'Gone.' })
})

test('a task that was cancelled has failed, in the words of that document', async () => {
  await using server = await start()
  const id = await server.newTask()
  await server.jobQueue.cancel(id)

  expect(await server.status(id)).toEqual({ task_id: id, status: 'failed', error: 'The task was cancelled.' })
})

test('“/download/<task_id>?fmt=[md|json] Download the transcribed file in JSON or markdown format”', async () => {
  await using server = await start()
  const id = await server.newTask()
  await complete(await begin(server.jobQueue), server.blobs)

  const [json, plain, md] = await Promise.all([
    server.download(id, '?fmt=json'),
    server.download(id),
    server.download(id, '?fmt=md'),
  ])

  expect(TranscribeResponse.parse(await json.json())).toMatchObject({ text: 'Toget kører klokken otte.' })
  expect(plain.headers.get('content-type')).toBe('application/json')
  expect(md.headers.get('content-type')).toBe('text/markdown; charset=utf-8')
  expect(await md.text()).toMatch(/^# film\.mp4\n[\s\S]*\*\*\[0:00\]\*\* Toget kører klokken otte\.\n$/)
  expect(await errorOf(await server.download(id, '?fmt=docx'))).toMatchObject({ status: 400, param: 'fmt' })
})

test('“This calls fails if an s3_path was specified in the transcribe request”, whatever became of it', async () => {
  await using server = await start()
  const id = await server.newTask({ url: URL_OF_A_FILM, s3_path: 'talks/monday' })
  expect(await errorOf(await server.download(id))).toMatchObject({ code: 'result_is_elsewhere' })
  await complete(await begin(server.jobQueue), server.blobs)

  expect(await errorOf(await server.download(id))).toMatchObject({
    status: 400,
    code: 'result_is_elsewhere',
    message: expect.stringContaining('s3_path') as unknown,
  })
})

test('what is not there yet, or will never be, is not downloaded', async () => {
  await using server = await start()
  const id = await server.newTask()
  expect(await errorOf(await server.download(id))).toMatchObject({ status: 400, code: 'job_not_completed' })
  await (await begin(server.jobQueue)).fail({ code: 'url_unreachable', message: 'Gone.', param: 'url' })
  expect(await errorOf(await server.download(id))).toMatchObject({ status: 500, code: 'job_failed' })
  expect((await server.download(crypto.randomUUID())).status).toBe(404)
})

test.each(['DELETE', 'POST'])(
  '“/release/<task_id> Release all files related to that task”: %s',
  async (method) => {
    await using server = await start()
    const { task_id } = Task.parse(await (await server.post(form({ s3_path: 'a' }))).json())
    await complete(await begin(server.jobQueue), server.blobs)
    expect(server.blobs.kept.size).toBe(2)

    const response = await server.request(`/release/${task_id}`, { method })

    expect(ReleasedTask.parse(await response.json())).toEqual({ task_id, released: true })
    expect(server.blobs.kept.size).toBe(0)
    expect((await server.request(`/status/${task_id}`)).status).toBe(404)
  },
)

test('GET releases nothing: whatever follows links beforehand would delete', async () => {
  await using server = await start()
  const id = await server.newTask()

  const response = await server.request(`/release/${id}`)

  expect(response.status).toBe(405)
  expect(response.headers.get('allow')).toBe('POST, DELETE')
  expect(await server.jobQueue.find(id)).toBeDefined()
})

test('“/queue to return number of transcriptions jobs in the queue to be processed”', async () => {
  await using server = await start()
  for (let n = 0; n < 3; n++) await server.newTask()
  await server.newJob({ lane: 'interactive' })
  await begin(server.jobQueue)

  const none = { pending: 0, processing: 0, completed: 0, failed: 0, cancelled: 0 }
  expect(Queue.parse(await (await server.request('/queue')).json())).toEqual({
    waiting: 3,
    lanes: { interactive: { ...none, pending: 1 }, batch: { ...none, pending: 2, processing: 1 } },
  })
})

test('a task’s recording may be refused where it is', async () => {
  await using server = await start({
    requireUrlAllowed: () => {
      throw new Failure('invalid_value', 'Not from there.', { param: 'url' })
    },
  })

  expect(await errorOf(await server.post(fieldsOnly({ url: URL_OF_A_FILM })))).toMatchObject({
    status: 400,
    param: 'url',
  })
  expect(await errorOf(await server.post(form({ url: URL_OF_A_FILM })))).toMatchObject({
    message: expect.stringContaining('exactly one of') as unknown,
  })
})
