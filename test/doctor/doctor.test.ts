// The command as operators run it, on this machine, with the bundled model: its transcription is a real one.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import type { Finding } from '../../src/doctor/finding.ts'
import { ROOT } from '../end-to-end/server.ts'

let dataDir: string
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'hviske-doctor-'))
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }))
})

const doctor = (environment: Record<string, string>, ...words: string[]) =>
  execa(process.execPath, ['src/doctor/main.ts', ...words], {
    cwd: ROOT,
    env: { MODEL: 'models/tiny-da', DEVICE: 'cpu', DATA_DIR: dataDir, HF_HUB_OFFLINE: '1', ...environment },
    reject: false,
  })

test('a machine that can serve has a line for each check, a right transcription, and exit code 0', async () => {
  const { stdout, exitCode } = await doctor({})

  expect(stdout).toMatch(/^ok {4}settings {7}all can be used$/m)
  expect(stdout).toMatch(/^ok {4}arithmetic {5}a product .* is right$/m)
  expect(stdout).toMatch(/^ok {4}transcription {2}5\.8 s of Danish in .* 12 of 12 words right$/m)
  expect(stdout).toMatch(/^warn {2}keys .*\n +→ npm run keys -- create NAME$/m)
  expect(stdout).toMatch(/\n\n\d+ ok, \d+ warn, 0 fail$/)
  expect(exitCode).toBe(0)
  expect(await readdir(dataDir)).toEqual([])
})

test('what fails is in the JSON, beside everything else, no secret is, and the exit code is 1', async () => {
  const wrong = {
    WEBHOOK_SECRET: 'hush-hush',
    DEVICE: 'cuda',
    CUDA_VISIBLE_DEVICES: '',
    MODEL: 'no/such-model',
  }
  const { stdout, exitCode } = await doctor(wrong, '--json')
  const report = JSON.parse(stdout) as { ok: boolean; findings: Finding[] }
  const stateOf = (name: string) => report.findings.find((finding) => finding.name === name)?.state

  expect(report.ok).toBe(false)
  expect(['settings', 'gpu', 'model'].map(stateOf)).toEqual(['fail', 'fail', 'fail'])
  expect(['node', 'python', 'arithmetic', 'ffmpeg', 'data'].map(stateOf)).toEqual([
    'ok',
    'ok',
    'ok',
    'ok',
    'ok',
  ])
  expect(report.findings.every(({ state, mend }) => state === 'ok' || mend !== undefined)).toBe(true)
  expect(stdout).not.toContain('hush')
  expect(exitCode).toBe(1)
})

test('a word that it does not know is answered with those that it knows', async () => {
  const { stderr, exitCode } = await doctor({}, '--fast')

  expect(stderr).toMatch(/--fast.*\n(.*\n)*npm run doctor -- \[--json\] \[--online\]$/)
  expect(exitCode).toBe(2)
})
