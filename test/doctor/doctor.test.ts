// The command as operators run it, on this machine, with the bundled model: its transcription is a real one.
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
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

interface How {
  readonly words?: readonly string[]
  readonly cwd?: string
  readonly main?: string
}

const doctor = (
  environment: Record<string, string>,
  { words = [], cwd = ROOT, main = 'src/doctor/main.ts' }: How = {},
) =>
  execa(process.execPath, [main, ...words], {
    cwd,
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
  const { stdout, exitCode } = await doctor(wrong, { words: ['--json'] })
  const report = JSON.parse(stdout) as { ok: boolean; findings: Finding[] }
  const stateOf = (name: string) => report.findings.find((finding) => finding.name === name)?.state

  expect(report.ok).toBe(false)
  expect(['settings', 'gpu', 'arithmetic', 'model'].map(stateOf)).toEqual(['fail', 'fail', 'fail', 'fail'])
  expect(['node', 'python', 'ffmpeg', 'data'].map(stateOf)).toEqual(['ok', 'ok', 'ok', 'ok'])
  expect(report.findings.every(({ state, mend }) => state === 'ok' || mend !== undefined)).toBe(true)
  expect(stdout).not.toContain('hush')
  expect(exitCode).toBe(1)
})

test('where there is only what an image holds, it works too, and says what to type outside', async () => {
  const image = join(dataDir, 'app')
  await mkdir(join(image, 'python'), { recursive: true })
  for (const held of ['src', 'package.json', join('python', 'whisper_worker')])
    await cp(join(ROOT, held), join(image, held), { recursive: true })
  await symlink(join(ROOT, 'node_modules'), join(image, 'node_modules'))

  const { stdout, exitCode } = await doctor(
    {
      PYTHON_PATH: join(ROOT, '.venv', 'bin', 'python'),
      MODEL: join(ROOT, 'models', 'tiny-da'),
      CUDA_CACHE_PATH: join(dataDir, 'cache', 'cuda'),
      DATA_DIR: join(dataDir, 'data'),
    },
    { cwd: '/', main: join(image, 'src', 'doctor', 'main.ts') },
  )

  expect(stdout).toMatch(/^ok {4}transcription {2}.* 12 of 12 words right$/m)
  expect(stdout).toMatch(/^(ok {2}|warn) {2}container {6}user \d+, its own files can/m)
  expect(stdout).toMatch(/^ok {4}caches {9}can be written to: .*cuda$/m)
  expect(stdout).toMatch(/→ docker compose run --rm server keys create NAME$/m)
  expect(stdout).not.toContain('npm ')
  expect(exitCode).toBe(0)
})

test('a word that it does not know is answered with those that it knows', async () => {
  const { stderr, exitCode } = await doctor({}, { words: ['--fast'] })

  expect(stderr).toMatch(/--fast.*\n(.*\n)*npm run doctor -- \[--json\] \[--online\]$/)
  expect(exitCode).toBe(2)
})
