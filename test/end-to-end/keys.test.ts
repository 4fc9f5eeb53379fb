// A real server whose keys come and go while it runs, and a log that must tell nothing of what it was given.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AUDIO, plainWords, ROOT, type RunningServer, runFile, startServer, truthOf } from './server.ts'

const PROMPT = 'Hemmelighedskræmmeren fra Gudhjem'
const WRONG_KEY = 'hv_this-is-not-a-key-but-looks-like-one'
const FILE_NAME = 'samtale-med-direktøren.wav'

let server: RunningServer
let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hviske-keys-'))
  server = await startServer({ KEYS_FILE: join(directory, 'keys.json'), LOG_LEVEL: 'debug' })
})
afterAll(async () => {
  await server.stop()
  await rm(directory, { recursive: true, force: true })
})

async function keys(...words: string[]): Promise<string> {
  const env = { ...process.env, KEYS_FILE: join(directory, 'keys.json') }
  const { stdout } = await runFile(process.execPath, ['src/keys/main.ts', ...words], { cwd: ROOT, env })
  return stdout.trim()
}

async function transcribe(key: string | undefined, fields: Record<string, string> = {}) {
  const body = new FormData()
  for (const [name, value] of Object.entries(fields)) body.append(name, value)
  body.append('file', new Blob([await readFile(join(AUDIO, 'da.wav'))]), FILE_NAME)
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const response = await fetch(`${server.url}/v1/audio/transcriptions`, { method: 'POST', headers, body })
  return { status: response.status, text: await response.text() }
}

test('a running server takes a new key, refuses a revoked one at once, and never becomes open again', async () => {
  expect(server.log().join('\n')).toContain('whoever can reach this server may use it')
  expect((await transcribe(undefined)).status).toBe(200)

  const vexa = await keys('create', 'vexa')
  const metrics = await keys('create', 'prometheus', '--scopes', 'metrics')

  expect((await transcribe(undefined)).status).toBe(401)
  expect((await transcribe(metrics)).status).toBe(403)
  expect((await transcribe(vexa)).status).toBe(200)
  await keys('revoke', 'vexa')
  await keys('revoke', 'prometheus')
  expect((await transcribe(vexa)).status).toBe(401)
  expect((await transcribe(undefined)).status).toBe(401)
})

test('not a word of recordings, prompts, names of files or keys is in the log, at its most talkative', async () => {
  const key = await keys('create', 'talkative')
  const fields = { prompt: PROMPT, response_format: 'verbose_json', 'timestamp_granularities[]': 'word' }
  const whole = await transcribe(key, fields)
  const streamed = await transcribe(key, { prompt: PROMPT, stream: 'true', language: 'da' })
  const refused = await transcribe(WRONG_KEY, fields)
  const wrong = await transcribe(key, { ...fields, temperature: PROMPT })
  const truth = await truthOf('da')

  const log = server.log().join('\n')

  expect([whole, streamed, refused, wrong].map(({ status }) => status)).toEqual([200, 200, 401, 400])
  expect(log).toContain('"message":"request"')
  const listed = JSON.parse(await keys('list', '--json')) as { id: string }[]
  expect(log).toContain(`"client":"${listed.at(-1)?.id}"`) // whose request it was can be told all the same
  const telling = plainWords(truth.text).filter((word) => word.length > 5)
  expect(telling.length).toBeGreaterThan(3)
  expect(telling.filter((word) => log.toLowerCase().includes(word))).toEqual([])
  for (const secret of [key, key.slice(3, 15), WRONG_KEY, PROMPT, 'Gudhjem', FILE_NAME, 'direktøren']) {
    expect(log).not.toContain(secret)
  }
})
