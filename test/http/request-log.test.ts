// The one wide line that each request leaves: what an operator wants there, and what must never stand there.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { Failure } from '../../src/failure.ts'
import { createJoiningTranscriber } from '../../src/joining/joining-transcriber.ts'
import type { Transcriber } from '../../src/transcriber.ts'
import { transcriptOf } from '../formats/transcripts.ts'
import { DONE as DONE_OF_ROAD, road } from '../road.ts'
import { form, startParts } from './parts.ts'

const ROUTE = '/v1/audio/transcriptions'
const KEY = 'sk-vores-egen'
const SECRETS = { text: 'rødgrød', prompt: 'Sønderjylland', keyword: 'Dybbøl', file: 'fortroligt-møde.wav' }

let server: Awaited<ReturnType<typeof startParts>>
beforeEach(async () => {
  server = await startParts({ API_KEYS: KEY })
})
afterEach(async () => {
  await server[Symbol.asyncDispose]()
})

/** The app with another road than the fake one. */
const appOn = (transcriber: Transcriber) => createApp({ ...server.parts, transcriber })
const headers = { authorization: `Bearer ${KEY}` }
const lines = () => server.logged.filter(({ message }) => message === 'request')

test('it says whose request it was, how long the recording is, and where the time went', async () => {
  const clock = { nowMs: 0 }
  const { transcriber } = road({
    clock,
    run: async function* () {
      clock.nowMs += 500
      yield { ...DONE_OF_ROAD, durationSeconds: 2 }
    },
  })

  const response = await appOn(transcriber).request(ROUTE, { method: 'POST', body: form(), headers })
  await response.text()

  expect(lines()).toMatchObject([
    {
      method: 'POST',
      path: ROUTE,
      status: 200,
      client: expect.stringMatching(/^[0-9a-f]{12}$/),
      task: 'transcribe',
      streamed: false,
      audioSeconds: 2,
      queueSeconds: 0,
      decodeSeconds: 0,
      engineSeconds: 0.5,
      rtf: 0.25,
    },
  ])
  expect(lines()[0]).not.toHaveProperty('joined')
  expect(lines()[0]).not.toHaveProperty('code')
})

test('a stream says so, and its line comes when its body has ended', async () => {
  const response = await appOn(road().transcriber).request(ROUTE, {
    method: 'POST',
    body: form({ stream: 'true' }),
    headers,
  })
  expect(lines()).toEqual([])
  await response.text()

  await expect.poll(lines).toMatchObject([{ streamed: true, audioSeconds: 2, engineSeconds: 0 }])
})

test('who joins has no times of its own, but the recording’s length', async () => {
  const { parts } = server
  await using joining = createJoiningTranscriber({
    ...parts,
    transcriber: road().transcriber,
    directory: parts.spoolDir,
  })
  const app = appOn(joining)

  for (let time = 0; time < 2; time++) {
    await (await app.request(ROUTE, { method: 'POST', body: form(), headers })).text()
  }

  const [first, second] = lines()
  expect(first).toMatchObject({ audioSeconds: 2, engineSeconds: 0 })
  expect(second).toMatchObject({ joined: 'finished', audioSeconds: 2 })
  for (const figure of ['engineSeconds', 'queueSeconds', 'decodeSeconds', 'rtf'])
    expect(second).not.toHaveProperty(figure)
})

test('finding a language is a task of its own', async () => {
  const response = await appOn(road().transcriber).request('/detect-language', {
    method: 'POST',
    body: form(),
    headers,
  })
  await response.text()

  expect(lines()).toMatchObject([{ task: 'detect_language', audioSeconds: 2, engineSeconds: 0 }])
})

test('a request that holds no recording says nothing of one', async () => {
  await (await server.app.request('/v1/models', { headers })).text()

  for (const figure of ['task', 'streamed', 'audioSeconds', 'engineSeconds', 'rtf'])
    expect(lines()[0]).not.toHaveProperty(figure)
})

test.each([
  ['/nowhere', 404, 'not_found'],
  ['/transcribe', 405, 'method_not_allowed'],
])('what the client was told is there: %s', async (path, status, code) => {
  await server.app.request(path, { headers })

  expect(lines()).toMatchObject([{ status, code }])
})

test('neither what was said nor what was asked, neither keys nor names of files stand in the log', async () => {
  server.transcriber.transcript = transcriptOf([` ${SECRETS.text}`], {
    dropped: [{ reason: 'silence', startSeconds: 0, endSeconds: 1, text: ` ${SECRETS.text}` }],
    warnings: [{ reason: 'unsure', startSeconds: 0, endSeconds: 1, text: ` ${SECRETS.text}` }],
  })
  const send = async (path: string, fields: Record<string, string> = {}, key = KEY) => {
    const body = new FormData()
    const asked = { prompt: SECRETS.prompt, 'keywords[]': SECRETS.keyword, ...fields }
    for (const [name, value] of Object.entries(asked)) body.append(name, value)
    body.append('file', new File([SECRETS.text], SECRETS.file))
    const response = await server.app.request(path, { method: 'POST', body, headers: { 'x-api-key': key } })
    return response.text().catch(() => '') // of an answer that breaks off
  }

  const bodies = [await send(ROUTE), await send('/transcribe'), await send(ROUTE, { stream: 'true' })]
  await send(ROUTE, { response_format: 'srt' })
  await send(ROUTE, { temperature: SECRETS.prompt })
  await send(ROUTE, { language: SECRETS.prompt })
  await send(ROUTE, { model: SECRETS.prompt })
  await send(ROUTE, {}, `${KEY}-wrong`)
  server.transcriber.before = async () => {
    throw new Failure('engine_failed', 'The speech engine could not process this recording.')
  }
  await send(ROUTE)
  await expect.poll(() => lines().length).toBe(9)

  expect(bodies[0]).toContain(SECRETS.text)
  const written = JSON.stringify(server.logged)
  for (const secret of [...Object.values(SECRETS), KEY]) expect(written).not.toContain(secret)
})
