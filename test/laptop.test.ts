/** examples/laptop.* as they are used from far away: with a key, for large recordings, and when the box does not answer. */
import { copyFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import {
  AUDIO,
  plainWords,
  ROOT,
  type RunningServer,
  runFile,
  startServer,
  truthOf,
} from './end-to-end/server.ts'

const KEY = 'hv_laptop'
const LAPTOPS = [
  ['laptop.sh', 'sh'],
  ['laptop.ts', process.execPath],
  ['laptop.py', join(ROOT, '.venv', 'bin', 'python')],
] as const

let server: RunningServer
beforeAll(async () => {
  server = await startServer({ API_KEYS: KEY })
})
afterAll(async () => {
  await server.stop()
})

const run = (example: string, words: readonly string[], environment: Record<string, string> = {}) => {
  const [, command] = LAPTOPS.find(([name]) => name === example) ?? []
  return runFile(command ?? '', [join(ROOT, 'examples', example), ...words], {
    env: { ...process.env, HVISKE_URL: server.url, HVISKE_KEY: KEY, ...environment },
  })
}

const said = async () => plainWords((await truthOf('da')).text).join(' ')
const wordsOf = (text: string) => plainWords(text.replace(/[\d.]+ – [\d.]+ s/g, '')).join(' ')

async function jobs(): Promise<number> {
  const answer = await fetch(`${server.url}/v1/jobs`, { headers: { 'x-api-key': KEY } })
  return ((await answer.json()) as { data: unknown[] }).data.length
}

describe.each(LAPTOPS)('%s', (example) => {
  test('shows its key, and gets the text', async () => {
    const { stdout } = await run(example, [join(AUDIO, 'da.mp3')])

    expect(wordsOf(stdout)).toBe(await said())
  })

  test('says so, and fails, when the key is not good', async () => {
    const refused: Promise<unknown> = run(example, [], { HVISKE_KEY: 'hv_other' })

    const { stdout, stderr } = await refused.then(
      () => expect.unreachable('it was let in'),
      (error: unknown) => error as { stdout: string; stderr: string },
    )
    expect(stdout + stderr).toContain('The API key is not one of those')
  })
})

test('laptop.sh says which box is not there', async () => {
  const refused = run('laptop.sh', [], { HVISKE_URL: 'http://127.0.0.1:1' })

  await expect(refused).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('http://127.0.0.1:1 is not ready') as unknown,
  })
})

test.each(['laptop.sh', 'laptop.py'])('%s hands a large recording in as a job', async (example) => {
  const before = await jobs()

  const { stdout } = await run(example, [], { HVISKE_JOB_FROM_BYTES: '1' })

  expect(wordsOf(stdout)).toBe(await said())
  expect(await jobs()).toBe(before + 1)
})

test('laptop.py finds the job again that it handed in before', async () => {
  const environment = { HVISKE_JOB_FROM_BYTES: '1' }
  await run('laptop.py', [join(AUDIO, 'en.wav')], environment)
  const before = await jobs()

  await run('laptop.py', [join(AUDIO, 'en.wav')], environment)

  expect(await jobs()).toBe(before)
})

test('laptop.sh finds the job again that it handed in before', async () => {
  const job = async () => {
    const recording = join(AUDIO, 'en.wav')
    const { stdout, stderr } = await run('laptop.sh', [recording, 'srt'], { HVISKE_JOB_FROM_BYTES: '1' })
    expect(stdout).toMatch(/^1\n00:00:0\d,\d{3} --> /)
    return /^job (.+)$/m.exec(stderr)?.[1]
  }

  const first = await job()
  expect(first).toBeDefined()
  expect(await job()).toBe(first)
})

test('laptop.py goes on with the folder after a recording that is none, and fails in the end', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hviske-laptop-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await copyFile(join(AUDIO, 'da.json'), join(folder, 'broken.wav'))
  await copyFile(join(AUDIO, 'da.mp3'), join(folder, 'whole.mp3'))

  await expect(run('laptop.py', [folder])).rejects.toMatchObject({
    code: 1,
    stdout: 'whole.mp3.txt\n',
    stderr: expect.stringMatching(/^broken\.wav: .*could not be read as audio/) as unknown,
  })
})

test('laptop.py writes a text beside each recording of a folder, and a second run leaves alone what is there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hviske-laptop-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  for (const name of ['da.wav', 'da.mp3', 'da.json']) await copyFile(join(AUDIO, name), join(folder, name))

  const first = await run('laptop.py', [folder])
  const second = await run('laptop.py', [folder])

  expect(first.stdout).toBe('da.mp3.txt\nda.wav.txt\n')
  expect(second.stdout).toBe('')
  expect((await readdir(folder)).toSorted()).toEqual(
    ['da.json', 'da.mp3', 'da.mp3.txt', 'da.wav', 'da.wav.txt'].toSorted(),
  )
  expect(wordsOf(await readFile(join(folder, 'da.wav.txt'), 'utf8'))).toBe(await said())
})
