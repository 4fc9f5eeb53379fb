import { join } from 'node:path'
import { expect, test } from 'vitest'
import { plainWords, ROOT, runFile, startServer, truthOf } from './server.ts'

test('the demo prints the sentence, its words with times and the subtitles, and ends with --once', async () => {
  const { stdout } = await runFile(process.execPath, [join(ROOT, 'scripts', 'demo.mjs'), '--once'], {
    cwd: ROOT,
  })

  const truth = await truthOf('da')
  expect(plainWords(stdout).join(' ')).toContain(plainWords(truth.text).join(' '))
  expect(stdout).toMatch(/\d\.\d\d –\s+\d\.\d\d s {2}\S/)
  expect(stdout).toContain(' --> ')
})

test('a model that can be had nowhere ends the start with one line that says what to do', async () => {
  const start = startServer({ MODEL: 'nobody/has-this-model', HF_HOME: join(ROOT, 'build', 'no-cache') })

  await expect(start).rejects.toThrow(/nobody\/has-this-model.*npm run demo.*MODEL=/s)
})

test('a setting that cannot be used is named with its value', async () => {
  await expect(startServer({ PORT: 'eighty' })).rejects.toThrow(/PORT=eighty/)
})

test('a server that is told to stop leaves with status 0 and an empty spool', async () => {
  const server = await startServer()

  expect(await server.stop()).toEqual({ exitCode: 0, leftovers: [] })
})
