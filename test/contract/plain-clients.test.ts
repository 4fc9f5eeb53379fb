/** Clients without an SDK: curl itself, and the bodies that python-requests, aiohttp, Open WebUI, n8n and browsers were seen to send. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AUDIO, plainWords, type RunningServer, startServer, truthOf } from '../end-to-end/server.ts'
import { type Part, post, send } from './multipart.ts'
import { eventsOf } from './openai-schemas.ts'
import { startWitness, type Witness } from './witness.ts'

const KEY = 'sk-the-right-one'
const WITH_KEY = { authorization: `Bearer ${KEY}` }
const DA = join(AUDIO, 'da.wav')

let server: RunningServer
let witness: Witness
let url: string
let recording: Buffer
let said: string[]
beforeAll(async () => {
  server = await startServer({ API_KEYS: KEY, MAX_UPLOAD_BYTES: '3000000' })
  witness = await startWitness(server.url)
  url = `${witness.url}/v1/audio/transcriptions`
  recording = await readFile(DA)
  said = plainWords((await truthOf('da')).text)
})
beforeEach(() => {
  witness.testimonies()
})
afterAll(async () => {
  assert.deepEqual(witness.faults, [])
  await witness[Symbol.asyncDispose]()
  assert.deepEqual(await server.stop(), { exitCode: 0, leftovers: [] })
})

const textIn = (body: string) => plainWords((JSON.parse(body) as { text: string }).text)

describe('curl', () => {
  const run = promisify(execFile)
  const curl = async (...options: string[]) =>
    (await run('curl', ['--silent', '--show-error', '-H', `Authorization: Bearer ${KEY}`, ...options])).stdout

  test('needs only a file', async () => {
    expect(textIn(await curl(url, '-F', `file=@${DA}`))).toEqual(said)
  })

  test.each([
    ['with brackets', ['-F', 'timestamp_granularities[]=word', '-F', 'timestamp_granularities[]=segment']],
    ['with numbers', ['-F', 'timestamp_granularities[0]=word', '-F', 'timestamp_granularities[1]=segment']],
    ['as JSON', ['-F', 'timestamp_granularities[]=["word","segment"]']],
    ['with commas', ['-F', 'timestamp_granularities[]=word,segment']],
  ])('writes lists %s', async (_how, fields) => {
    const body = await curl(url, '-F', `file=@${DA}`, '-F', 'response_format=verbose_json', ...fields)

    expect(JSON.parse(body)).toMatchObject({ language: 'danish', words: expect.any(Array) as unknown })
  })

  test('sends chunking as one string of JSON', async () => {
    const chunking = JSON.stringify({ type: 'server_vad', threshold: 0.4, silence_duration_ms: 300 })
    const body = await curl(url, '-F', `file=@${DA}`, '-F', `chunking_strategy=${chunking}`)

    expect(textIn(body)).toEqual(said)
  })

  test('reads from a pipe, which gives the file no type and the name -', async () => {
    const command = run('curl', ['-sS', '-H', `X-API-Key: ${KEY}`, url, '-F', 'file=@-'])
    createReadStream(DA).pipe(command.child.stdin as Writable)

    expect(textIn((await command).stdout)).toEqual(said)
  })

  test('shows a stream line by line, [DONE] at the end', async () => {
    const events = eventsOf(await curl(url, '-N', '-F', `file=@${DA}`, '-F', 'stream=true'))

    expect(events.pop()).toBe('[DONE]')
    const parsed = events.map((event) => JSON.parse(event) as { delta?: string; text?: string })
    expect(parsed.map(({ delta = '' }) => delta).join('')).toBe(parsed.at(-1)?.text)
    expect(plainWords(parsed.at(-1)?.text ?? '')).toEqual(said)
  })

  test('asks first whether it may send much, and is let', async () => {
    // Not through the witness: between the two, Node would answer the question itself.
    const address = `${server.url}/v1/audio/transcriptions`
    const headers = ['-sS', '-v', '-H', `Authorization: Bearer ${KEY}`]
    const fields = ['-F', `file=@${join(AUDIO, 'long.wav')}`, '-F', 'response_format=text']
    const { stdout, stderr } = await run('curl', [...headers, address, ...fields])

    expect(stderr).toMatch(/Expect: 100-continue[^]*HTTP\/1\.1 100 Continue/i)
    expect(plainWords(stdout)).toEqual(plainWords((await truthOf('long')).text))
  })

  test('is told that a body is too large, whether it tells the length or not', async () => {
    const tooLarge = join(AUDIO, 'long.wav')
    const twice = ['-F', `file=@${tooLarge}`, '-F', `again=@${tooLarge}`]
    const address = `${server.url}/v1/audio/transcriptions`

    for (const how of [[], ['-H', 'Transfer-Encoding: chunked']]) {
      const body = await curl(address, ...how, ...twice, '-w', '\n%{http_code}')
      expect(body).toMatch(/\n413$/)
      expect(JSON.parse(body.replace(/\n413$/, ''))).toMatchObject({ error: { code: 'file_too_large' } })
    }
  })
})

describe('a body as it was seen on the wire', () => {
  const inText = { type: 'text/plain; charset=utf-8' }
  const bodies: Record<string, () => Part[]> = {
    'python-requests: no type on the file': () => [
      { name: 'model', value: 'whisper-1' },
      { name: 'file', filename: 'da.wav', value: recording },
    ],
    'aiohttp: a type on every part': () => [
      { name: 'model', value: '', ...inText },
      { name: 'language', value: 'da', ...inText },
      { name: 'file', filename: '0b5f8a32.wav', type: 'audio/x-wav', value: recording },
    ],
    'n8n: the file has no name': () => [
      { name: 'model', value: 'whisper-1' },
      { name: 'file', type: 'audio/wav', value: recording },
    ],
    'a form with empty fields, as browsers send all of their inputs': () => [
      { name: 'file', filename: 'da.wav', type: 'audio/wav', value: recording },
      ...['model', 'language', 'prompt', 'temperature', 'response_format', 'stream', 'include[]'].map(
        (name) => ({
          name,
          value: '',
        }),
      ),
    ],
    'Home Assistant: an empty prompt and the first half of a locale': () => [
      { name: 'file', filename: 'a.wav', type: 'audio/wav', value: recording },
      { name: 'prompt', value: '' },
      { name: 'temperature', value: '0' },
      { name: 'language', value: 'da' },
    ],
    'an older AI SDK: granularities beside json': () => [
      { name: 'model', value: 'gpt-4o-transcribe' },
      { name: 'file', filename: 'audio.wav', type: 'audio/wav', value: recording },
      { name: 'response_format', value: 'json' },
      { name: 'temperature', value: '0' },
      { name: 'timestamp_granularities[]', value: 'segment' },
    ],
    'fields that only other servers know': () => [
      { name: 'vad_filter', value: 'true' },
      { name: 'hotwords', value: 'museet' },
      { name: 'known_speaker_names[]', value: 'Peter' },
      { name: '__proto__', value: 'x' },
      { name: 'file', filename: 'da.wav', value: recording },
    ],
  }
  test.each(Object.keys(bodies))('%s', async (name) => {
    const { status, body } = await post(url, bodies[name]?.() ?? [], WITH_KEY)

    expect(status).toBe(200)
    expect(textIn(body)).toEqual(said)
  })

  test.each([
    ['da-DK', 'danish'],
    ['Danish', 'danish'],
    ['dansk', 'danish'],
    ['auto', 'danish'],
  ])('the language written %s is %s', async (written, language) => {
    const parts = [
      { name: 'language', value: written },
      { name: 'response_format', value: 'verbose_json' },
      { name: 'file', filename: 'da.wav', value: recording },
    ]

    expect(JSON.parse((await post(url, parts, WITH_KEY)).body)).toMatchObject({ language })
  })

  test('Open WebUI: JSON with the recording in base64', async () => {
    const input_audio = { data: recording.toString('base64'), format: 'wav' }
    const body = Buffer.from(JSON.stringify({ model: 'whisper-1', language: 'da', input_audio }))
    const answer = await send(url, body, { ...WITH_KEY, 'content-type': 'application/json' })

    expect(answer.status).toBe(200)
    expect(textIn(answer.body)).toEqual(said)
  })

  test('gpt-transcribe: candidate languages, keywords and logprobs in one request', async () => {
    const parts = [
      { name: 'model', value: 'gpt-transcribe' },
      ...['da', 'en'].map((value) => ({ name: 'languages[]', value })),
      { name: 'keywords[]', value: 'museet' },
      { name: 'include[]', value: 'logprobs' },
      { name: 'file', filename: 'da.wav', value: recording },
    ]
    const answer = JSON.parse((await post(url, parts, WITH_KEY)).body) as {
      logprobs: { bytes: number[] }[]
      text: string
    }

    expect(answer).toMatchObject({ languages: [{ code: 'da' }] })
    expect(
      Buffer.from(answer.logprobs.flatMap(({ bytes }) => bytes))
        .toString()
        .trim(),
    ).toBe(answer.text)
  })
})

test('a request without a key, and one with a method that is not served, say so', async () => {
  const parts = [{ name: 'file', filename: 'da.wav', value: recording }]

  expect((await post(url, parts)).status).toBe(401)
  const put = await send(url, Buffer.alloc(0), WITH_KEY, 'PUT')
  expect(put).toMatchObject({ status: 405, headers: { allow: expect.stringContaining('POST') as string } })
})
