/** Every example is run as its first lines say, against the real server with the small real model. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
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
  'openai-node.ts': process.execPath,
  'openai-python.py': PYTHON,
  'subtitles.sh': 'sh',
}

let server: RunningServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(async () => {
  await server.stop()
})

const run = (example: string, ...options: string[]) =>
  runFile(COMMANDS[example] ?? '', [join(ROOT, 'examples', example), ...options], {
    env: { ...process.env, HVISKE_URL: server.url },
  })

test('no example is without a test', async () => {
  const files = await readdir(join(ROOT, 'examples'))

  expect(files.filter((name) => name !== 'README.md').toSorted()).toEqual(Object.keys(COMMANDS))
})

test.each(Object.keys(COMMANDS))('%s prints what is said', async (example) => {
  const { stdout } = await run(example)

  const printed = plainWords(
    stdout.replace(/[\d:.,]+ (?:-->|–) +[\d:.,]+(?: s)?/g, '').replace(/^\d+$/gm, ''),
  )
  expect(printed.join(' ')).toContain(plainWords((await truthOf('da')).text).join(' '))
})

test('an example takes another recording as its argument', async () => {
  const { stdout } = await run('subtitles.sh', join(AUDIO, 'en.wav'), 'vtt')

  expect(stdout).toMatch(/^WEBVTT\n\n00:00:0\d\.\d{3} --> /)
})

test('an example says what is wrong, and fails, when the server refuses', async () => {
  const refusal = run('curl.sh', join(AUDIO, 'da.json'))

  await expect(refusal).rejects.toMatchObject({ stdout: expect.stringContaining('invalid_audio') as unknown })
})
