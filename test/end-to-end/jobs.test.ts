// The real server and its jobs, in one process: handed in, watched, fetched in three dialects, cancelled, told of, and gone.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import OpenAI from 'openai'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startWeb } from '../fetching/web-server.ts'
import { formOf, jobClient, type ReadEvent, recording, type ToldJob } from './job-client.ts'
import { AUDIO, repeated, type RunningServer, startServer } from './server.ts'
import { uploadByTus } from './tus-upload.ts'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
let server: RunningServer
let tusUpload = ''
let client: ReturnType<typeof jobClient>
beforeAll(async () => {
  server = await startServer({ WEBHOOK_SECRET: SECRET, URL_ALLOWED_NETWORKS: '127.0.0.0/8', ALLOW_URL: '1' })
  client = jobClient(server)
})
afterAll(async () => {
  await server.stop()
})

const DA = { language: 'da' }

async function synchronous(fields: Record<string, string>): Promise<string> {
  const response = await client.post(
    '/v1/audio/transcriptions',
    formOf(await recording('da.wav'), { ...DA, ...fields }),
  )
  expect(response.status).toBe(200)
  return response.text()
}

test('a job’s result is in every format what a waiting client is answered', async () => {
  const asked = { 'timestamp_granularities[]': 'word' }
  const { id } = await client.handIn(await recording('da.wav'), { ...DA, ...asked })
  expect(await client.ended(id)).toMatchObject({ status: 'completed', percent: 100, attempts: 1 })

  for (const format of ['json', 'text', 'srt', 'vtt', 'verbose_json']) {
    const waited = await synchronous({ response_format: format, ...asked })
    expect(await (await client.result(id, format)).text()).toBe(waited)
  }
  const text = (await synchronous({ response_format: 'text' })).trim()
  expect(await (await client.result(id, 'md')).text()).toMatch(/^# da\.wav\n\n- Length: 0:05\n/)
  expect(await (await client.result(id, 'md')).text()).toContain(`**[0:00]** ${text}\n`)
})

test('the three dialects tell the same job, and its text is that of /transcribe', async () => {
  const waited = (await (
    await client.post('/transcribe', formOf(await recording('da.wav'), DA))
  ).json()) as Record<string, unknown>

  const begun = await client.post('/transcribe/async', formOf(await recording('da.wav'), DA))
  const { job_id: id } = (await begun.json()) as { job_id: string }
  await client.ended(id)

  const [status, result, task, download] = await Promise.all(
    [`/jobs/${id}/status`, `/jobs/${id}/result`, `/status/${id}`, `/download/${id}?fmt=json`].map(
      async (path) => (await client.ask(path)).json() as Promise<Record<string, unknown>>,
    ),
  )
  const { timestamp: _when, ...heard } = waited
  expect(result).toMatchObject(heard)
  expect(status).toMatchObject({ status: 'completed', error: null, result })
  expect(task).toEqual({ task_id: id, status: 'completed' })
  expect(download).toEqual(result)
})

test('a URL is a task: fetched, transcribed, downloaded and released', async () => {
  const wav = await readFile(join(AUDIO, 'da.wav'))
  await using web = await startWeb((_request, response) => response.end(wav))
  const accepted = await client.post('/transcribe', formOf(undefined, { ...DA, url: `${web.url}/da.wav` }))
  const { task_id } = (await accepted.json()) as { task_id: string }
  await client.ended(task_id)

  const { text } = (await (await client.ask(`/download/${task_id}?fmt=json`)).json()) as { text: string }
  const released = await client.post(`/release/${task_id}`)

  expect(text).toBe((await synchronous({ response_format: 'text' })).trim())
  expect(await released.json()).toEqual({ task_id, released: true })
  expect((await client.ask(`/status/${task_id}`)).status).toBe(404)
  expect(await (await client.ask('/queue')).json()).toMatchObject({ waiting: 0 })
})

test('a reader that loses its connection goes on after the last event it saw', async () => {
  const { id } = await client.handIn(await repeated('long.wav', 2), DA)
  const seen: ReadEvent[] = []
  for (let isOver = false; !isOver; ) {
    isOver = true
    for await (const event of client.events(id, seen.at(-1)?.id)) {
      seen.push(event)
      isOver = ['completed', 'failed'].includes(event.data.status ?? '')
      if (!isOver && event.name === 'window') break // the connection is gone
    }
  }

  expect(seen.map((event) => event.id)).toEqual(seen.map((_event, index) => index + 1))
  const windows = seen.filter(({ name }) => name === 'window')
  expect(windows.length).toBeGreaterThan(2)
  const text = await (await client.result(id, 'text')).text()
  expect(windows.map(({ data }) => data.text?.trim()).join(' ')).toBe(text.trim())
  expect((await client.ask(`/v1/jobs/${id}/events`, { headers: { 'last-event-id': '999' } })).status).toBe(
    204,
  )
})

test('a job that is worked on is cancelled, tried again from where it was, and deleted while it is worked on', async () => {
  const { id } = await client.handIn(await repeated('long.wav', 30), { ...DA, keep_audio: 'true' })
  const untilWindow = async (after = 0) => {
    for await (const event of client.events(id, after)) if (event.name === 'window') return event
    throw new Error('it ended without a window')
  }
  const first = await untilWindow()

  const cancelled = (await (await client.post(`/v1/jobs/${id}/cancel`)).json()) as ToldJob
  const again = (await (await client.post(`/v1/jobs/${id}/retry`)).json()) as ToldJob
  const seen: ReadEvent[] = []
  for await (const event of client.events(id, first.id)) {
    seen.push(event)
    if (seen.some(({ data }) => data.status === 'cancelled') && event.name === 'window') break
  }
  const deleted = await client.ask(`/v1/jobs/${id}`, { method: 'DELETE' })

  expect([cancelled['status'], again['status']]).toEqual(['cancelled', 'pending'])
  const numbers = seen.flatMap(({ data }) => (data.window === undefined ? [] : [data.window]))
  expect(Math.min(...numbers)).toBeGreaterThan(first.data.window ?? 0) // nothing is heard twice
  expect(await deleted.json()).toEqual({ id, object: 'job', deleted: true })
  expect((await client.ask(`/v1/jobs/${id}`)).status).toBe(404)
})

test('OpenAI’s SDK has a job made of its request, or waits a while for the answer itself', async () => {
  const openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none-needed' })
  const create = async (prefer: string) =>
    openai.audio.transcriptions
      .create(
        { file: await recording('da.wav'), model: 'whisper-1', ...DA },
        { headers: { prefer }, maxRetries: 0 },
      )
      .withResponse()

  const { response } = await create('respond-async')
  const waited = await create('respond-async, wait=60')

  const id = response.headers.get('x-job-id') ?? ''
  expect(response.status).toBe(202)
  expect(response.headers.get('location')).toBe(`/v1/jobs/${id}`)
  await client.ended(id)
  expect(await (await client.result(id, 'json')).json()).toEqual(waited.data)
  expect(waited.response.status).toBe(200)
  expect(waited.response.headers.get('preference-applied')).toBe('respond-async, wait=60')
})

test('an upload by tus becomes one job, however often it is handed in under one key', async () => {
  const upload_id = await uploadByTus(server.url, await readFile(join(AUDIO, 'da.wav')))
  tusUpload = upload_id
  const key = { 'idempotency-key': 'the-tus-upload' }
  const order = () => client.post('/v1/jobs', formOf(undefined, { ...DA, upload_id }), key)

  const first = await order()
  const job = (await first.json()) as ToldJob
  const again = await order()

  expect([first.status, again.status]).toEqual([202, 200])
  expect(again.headers.get('idempotent-replayed')).toBe('true')
  expect(((await again.json()) as ToldJob).id).toBe(job.id)
  await client.ended(job.id)
  expect(await (await client.result(job.id, 'text')).text()).toBe(
    await synchronous({ response_format: 'text' }),
  )
})

test('who is to be told is told at once, signed, and the job tells of that', async () => {
  const told = Promise.withResolvers<{ body: string; headers: Record<string, string>; atMs: number }>()
  await using receiver = await startWeb((request, response) => {
    const headers = request.headers as Record<string, string>
    void textOf(request).then((body) => {
      response.end()
      told.resolve({ body, headers, atMs: Date.now() })
    })
  })
  const url = `${receiver.url}/told?secret=1`
  const { id } = await client.handIn(await recording('da.wav'), {
    ...DA,
    callback_url: url,
    'metadata[case]': '7',
  })
  await client.ended(id)
  const endedMs = Date.now()

  const { body, headers, atMs } = await told.promise
  expect(atMs - endedMs).toBeLessThan(5000) // not at the next look, which is 15 s later
  expect(new Webhook(SECRET).verify(body, headers)).toMatchObject({
    type: 'job.completed',
    data: { id, metadata: { case: '7' }, result_path: `/v1/jobs/${id}/result` },
  })
  await expect
    .poll(async () => (await client.look(id))['webhook'])
    .toMatchObject({ url, status: 'delivered', attempts: [{ status: 200 }] })
})

test('nothing is left of jobs that are deleted, and the server ends in order', async () => {
  const { data } = (await (await client.ask('/v1/jobs?limit=100')).json()) as { data: ToldJob[] }
  expect(data.length).toBeGreaterThan(5)
  await Promise.all(data.map(({ id }) => client.ask(`/v1/jobs/${id}`, { method: 'DELETE' })))

  // An upload is its client's for a day, whatever became of the jobs that were made of it.
  await client.ask(`/uploads/${tusUpload}`, { method: 'DELETE', headers: { 'tus-resumable': '1.0.0' } })
  await expect.poll(async () => (await server.leftovers()).filter((path) => !isDatabase(path))).toEqual([])
  const { exitCode, leftovers } = await server.stop()

  expect(exitCode).toBe(0)
  expect(leftovers.filter((path) => !isDatabase(path))).toEqual([])
  server = { ...server, stop: async () => ({ exitCode, leftovers }) }
})

function isDatabase(path: string): boolean {
  return /\/jobs\/jobs\.sqlite[^/]*$/.test(path)
}
