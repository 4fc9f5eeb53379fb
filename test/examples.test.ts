/** Every example is run as its first lines say, against the real server with the small real model. */
import assert from 'node:assert/strict'
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest'
import { startWitness, type Witness } from './contract/witness.ts'
import {
  AUDIO,
  plainWords,
  ROOT,
  type RunningServer,
  runFile,
  startServer,
  truthOf,
} from './end-to-end/server.ts'

const PYTHON = join(ROOT, '.venv', 'bin', 'python')

/** Example → how it is run. */
const COMMANDS: Readonly<Record<string, string>> = {
  'curl.sh': 'sh',
  'jobs-folder.ts': process.execPath,
  'jobs.sh': 'sh',
  'jobs.ts': process.execPath,
  'laptop.py': PYTHON,
  'laptop.sh': 'sh',
  'laptop.ts': process.execPath,
  'openai-node.ts': process.execPath,
  'openai-python.py': PYTHON,
  'streaming.sh': 'sh',
  'streaming.ts': process.execPath,
  'subtitles.sh': 'sh',
  'translation.py': PYTHON,
}
/** Examples that are no programs; each has a test of its own. */
const SETTINGS = ['vexa.env']
/** What prints something else than what is said. */
const OTHER_TEXT = ['jobs-folder.ts', 'streaming.sh', 'translation.py']

let server: RunningServer
let witness: Witness
beforeAll(async () => {
  server = await startServer()
  witness = await startWitness(server.url)
})
afterEach(() => {
  assert.deepEqual(witness.faults, [])
})
afterAll(async () => {
  await witness[Symbol.asyncDispose]()
  await server.stop()
})

const run = (example: string, ...options: string[]) =>
  runFile(COMMANDS[example] ?? '', [join(ROOT, 'examples', example), ...options], {
    env: { ...process.env, HVISKE_URL: witness.url },
  })

test('no example is without a test', async () => {
  const files = await readdir(join(ROOT, 'examples'))

  expect(files.toSorted()).toEqual([...Object.keys(COMMANDS), ...SETTINGS].toSorted())
})

test.each(Object.keys(COMMANDS).filter((name) => !OTHER_TEXT.includes(name)))(
  '%s prints what is said',
  async (example) => {
    const { stdout } = await run(example)

    const printed = plainWords(
      stdout.replace(/[\d:.,]+ (?:-->|–) +[\d:.,]+(?: s)?/g, '').replace(/^\d+$/gm, ''),
    )
    expect(printed.join(' ')).toContain(plainWords((await truthOf('da')).text).join(' '))
  },
)

test('jobs-folder.ts writes a text beside each recording, and what is there already is left alone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hviske-folder-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  for (const name of ['da.wav', 'en.wav']) await copyFile(join(AUDIO, name), join(folder, name))
  await writeFile(join(folder, 'notes.md'), 'no recording')

  const { stdout } = await run('jobs-folder.ts', folder, 'srt')
  const again = await run('jobs-folder.ts', folder, 'srt')

  expect(stdout.split('\n').toSorted()).toEqual(['', 'da.wav.srt', 'en.wav.srt'])
  expect(again.stdout).toBe('')
  const subtitles = await readFile(join(folder, 'da.wav.srt'), 'utf8')
  expect(subtitles).toMatch(/^1\n00:00:0\d,\d{3} --> /)
})

test('the examples of jobs bring the key of a server that asks for one', async () => {
  const locked = await startServer({ API_KEYS: 'sk-of-the-house' })
  onTestFinished(async () => void (await locked.stop()))
  const folder = await mkdtemp(join(tmpdir(), 'hviske-folder-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await copyFile(join(AUDIO, 'da.wav'), join(folder, 'da.wav'))
  const env = { ...process.env, HVISKE_URL: locked.url, HVISKE_KEY: 'sk-of-the-house' }
  const example = (name: string, ...options: string[]) =>
    runFile(COMMANDS[name] ?? '', [join(ROOT, 'examples', name), ...options], { env })

  const printed = [
    await example('jobs.sh'),
    await example('jobs.ts'),
    await example('jobs-folder.ts', folder),
  ]

  const truth = plainWords((await truthOf('da')).text)
  expect(printed.slice(0, 2).map(({ stdout }) => plainWords(stdout))).toEqual([truth, truth])
  expect(printed[2]?.stdout).toBe('da.wav.text\n')
})

test('streaming.sh prints an event a line, and their deltas are what is said', async () => {
  const lines = (await run('streaming.sh')).stdout.split('\n').filter((line) => line.startsWith('data: '))

  expect(lines.pop()).toBe('data: [DONE]')
  const deltas = lines.map((line) => (JSON.parse(line.slice(6)) as { delta?: string }).delta ?? '')
  expect(plainWords(deltas.join(''))).toEqual(plainWords((await truthOf('da')).text))
})

test('translation.py prints what calls itself English', async () => {
  // The small model was never taught to translate, so what it says is not looked at.
  expect((await run('translation.py')).stdout).toMatch(/^english, 5\.8 s: ./)
})

test('jobs-folder.ts writes a text beside each recording, and a second run leaves alone what is there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hviske-folder-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  for (const name of ['da.wav', 'da.mp3']) await copyFile(join(AUDIO, name), join(folder, name))

  const first = await run('jobs-folder.ts', folder)
  const second = await run('jobs-folder.ts', folder)

  expect(first.stdout.split('\n').toSorted()).toEqual(['', 'da.mp3.text', 'da.wav.text'])
  expect(second.stdout).toBe('')
  const written = await readFile(join(folder, 'da.wav.text'), 'utf8')
  expect(plainWords(written)).toEqual(plainWords((await truthOf('da')).text))
})

test('vexa.env holds an address, a token and a model that Vexa’s client can use', async () => {
  const text = await readFile(join(ROOT, 'examples', 'vexa.env'), 'utf8')
  const settings = Object.fromEntries(
    text
      .split('\n')
      .flatMap((line) => [...line.matchAll(/^([A-Z_]+)=(.+)$/g)].map(([, name, value]) => [name, value])),
  )
  const { TRANSCRIPTION_SERVICE_URL = '', TRANSCRIPTION_SERVICE_TOKEN, TRANSCRIPTION_MODEL = '' } = settings
  const address = new URL(`${TRANSCRIPTION_SERVICE_URL}/v1/audio/transcriptions`)
  const body = new FormData()
  body.append('file', new File([await readFile(join(AUDIO, 'da.wav'))], 'audio.wav'))
  body.append('model', TRANSCRIPTION_MODEL)
  body.append('response_format', 'verbose_json')
  body.append('timestamp_granularities', 'word')

  const response = await fetch(`${witness.url}${address.pathname}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TRANSCRIPTION_SERVICE_TOKEN}` },
    body,
  })

  expect(Object.keys(settings)).toHaveLength(3)
  expect(address.port).toBe('8000') // ours, when nobody chose another
  expect(await response.json()).toMatchObject({ language: 'da', segments: expect.any(Array) as unknown })
})

test('an example takes another recording as its argument', async () => {
  const { stdout } = await run('subtitles.sh', join(AUDIO, 'en.wav'), 'vtt')

  expect(stdout).toMatch(/^WEBVTT\n\n00:00:0\d\.\d{3} --> /)
})

test('an example says what is wrong, and fails, when the server refuses', async () => {
  const refusal = run('curl.sh', join(AUDIO, 'da.json'))

  await expect(refusal).rejects.toMatchObject({ stdout: expect.stringContaining('invalid_audio') as unknown })
})
