import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
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

test('the demo goes on serving until Ctrl-C, and then ends in order', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'hviske-demo-'))
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }))
  const demo = spawn(process.execPath, [join(ROOT, 'scripts', 'demo.mjs')], {
    cwd: ROOT,
    env: { ...process.env, PORT: '0', DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true, // a process group, which is what a terminal sends Ctrl-C to
  })
  const exited = once(demo, 'exit')
  let url = ''
  for await (const line of createInterface({ input: demo.stdout })) {
    url = /^Serving at (\S+)/.exec(line)?.[1] ?? url
    if (url) break
  }

  expect((await fetch(`${url}/health`)).status).toBe(200)
  process.kill(-(demo.pid ?? 0), 'SIGINT')

  expect(await exited).toEqual([0, null])
  expect(await readdir(join(dataDir, 'spool'))).toEqual([])
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
