/** bench/first-hour.sh as it is typed on a box, in its reduced form: the bundled model, on the CPU where there is no GPU. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'

const ROOT = join(import.meta.dirname, '..', '..')

const Report = z.object({
  card: z.string(),
  counts: z.record(z.string(), z.number()),
  steps: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      reason: z.string(),
      began: z.string(),
      lines: z.array(z.string()),
      figures: z.unknown(),
    }),
  ),
})

let out: string

beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), 'first-hour-'))
})

afterAll(async () => {
  await rm(out, { recursive: true, force: true })
})

/** CUDA is hidden, so that a machine with a GPU finds what one without finds. */
function firstHour(...args: string[]): Promise<{ code: number; said: string }> {
  const env = { ...process.env, CUDA_VISIBLE_DEVICES: '', OMP_NUM_THREADS: '1', HF_HUB_OFFLINE: '1' }
  return new Promise((resolve) => {
    execFile(join(ROOT, 'bench', 'first-hour.sh'), args, { cwd: ROOT, env }, (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), said: stdout + stderr })
    })
  })
}

async function reportIn(directory: string) {
  const name = (await readdir(directory)).find((file) => file.endsWith('.json')) ?? ''
  const markdown = await readFile(join(directory, name.replace(/json$/, 'md')), 'utf8')
  return { name, markdown, ...Report.parse(JSON.parse(await readFile(join(directory, name), 'utf8'))) }
}

test('what would be run is listed with its time and what it needs, and nothing is run', async () => {
  const { code, said } = await firstHour('--dry-run', '--only', 'machine,profile', '--out', join(out, 'dry'))

  expect(code).toBe(0)
  expect(said).toMatch(/^machine +0\.3 min /m)
  expect(said).toMatch(/^profile .* \[a GPU, nsys\]$/m)
  expect(said).not.toMatch(/^doctor/m)
  await expect(readdir(join(out, 'dry'))).rejects.toThrow('ENOENT')
})

test('a step that does not exist is named, beside those that do', async () => {
  const { code, said } = await firstHour('--only', 'doktor', '--dry-run')

  expect(code).toBe(1)
  expect(said).toContain('no such step: doktor. There are: machine,')
})

test('without a GPU the rest is measured, and each step that needs one says so', {
  timeout: 300_000,
}, async () => {
  const directory = join(out, 'whole')
  expect(await firstHour('--quick', '--out', directory)).toMatchObject({ code: 0 })
  const report = await reportIn(directory)

  const status = Object.fromEntries(report.steps.map((step) => [step.name, step.status]))
  const measured = ['machine', 'doctor', 'model-files', 'steps', 'server']
  expect(report.name).toMatch(/^first-hour-no-gpu-\d{4}-\d\d-\d\d\.json$/)
  expect(measured.map((name) => status[name])).toEqual(measured.map(() => 'ok'))
  expect(report.counts).toEqual({ ok: measured.length, 'no GPU': report.steps.length - measured.length })
  expect(report.markdown).toContain('| gpu-tests | no GPU: torch finds no CUDA device |')

  const server = report.steps.find(({ name }) => name === 'server')
  expect(server?.figures).toMatchObject({
    word_times: { da: { word_error_rate: 0, words_compared: 12 } },
    long: { audio_seconds: expect.closeTo(72, 0) },
    memory_after: { hviske_engine_resident_memory_bytes: expect.any(Number) },
  })

  const again = await firstHour('--quick', '--out', directory)
  const second = await reportIn(directory)
  expect(again).toMatchObject({ code: 0, said: expect.not.stringContaining('── server') })
  expect(second.steps.map(({ began }) => began)).toEqual(report.steps.map(({ began }) => began))
})

test('a step that fails is in the report with its last lines, and the others run all the same', {
  timeout: 120_000,
}, async () => {
  const directory = join(out, 'broken')
  const only = ['--only', 'model-files,machine']
  const { code } = await firstHour('--quick', ...only, '--model', 'no/such-model', '--out', directory)
  const report = await reportIn(directory)

  const [machine, files] = report.steps
  expect(code).toBe(1)
  expect(machine).toMatchObject({ name: 'machine', status: 'ok' })
  expect(files).toMatchObject({ name: 'model-files', status: 'failed', reason: 'exit code 1' })
  expect(files?.lines.join('\n')).toContain('no/such-model')
  expect(report.markdown).toContain('## model-files: failed')
})
