// Settings, programs, Python and the GPU: each line for a machine that has it, and for one that has not.
import { expect, test } from 'vitest'
import type { Ffmpeg } from '../../src/audio/ffmpeg.ts'
import { ISOLATION_LEVELS } from '../../src/audio/isolation.ts'
import { checkCapability, checkDriver, checkMemory, checkProduct } from '../../src/doctor/gpu.ts'
import { checkFfmpeg, checkIsolation, checkNode } from '../../src/doctor/programs.ts'
import { parseProbe } from '../../src/doctor/python-probe.ts'
import { checkPython, checkTorchBuild } from '../../src/doctor/python.ts'
import { checkSettings } from '../../src/doctor/settings.ts'
import {
  CPU_TORCH,
  configWith,
  cudaTorch,
  madeUpWorld,
  noSuchProgram,
  pythonWith,
  ran,
  rejecting,
} from './made-up-world.ts'

const GIB = 1024 ** 3
const AUTO = configWith({})
const CUDA = configWith({ DEVICE: 'cuda' })
const CPU = configWith({ DEVICE: 'cpu' })

test('good settings are ok, and what is made of them is gone on with', () => {
  const { finding, config } = checkSettings({ PORT: '8123' })

  expect(finding).toEqual({ name: 'settings', state: 'ok', says: 'all can be used' })
  expect(config.port).toBe(8123)
})

test('wrong settings fail by name, and the others are gone on with', () => {
  const { finding, config } = checkSettings({ PORT: 'x', SLOTS: '99', MODEL: 'models/tiny-da' })

  expect(finding.state).toBe('fail')
  expect(finding.says).toMatch(/PORT=x: .*; SLOTS=99: /)
  expect(config).toMatchObject({ port: 8000, model: 'models/tiny-da' })
})

test.each([
  ['a secret', { WEBHOOK_SECRET: 'hush-hush' }, 'WEBHOOK_SECRET'],
  ['a key', { API_KEYS: 'hush-hush\u0007' }, 'API_KEYS'],
  ['a file of keys that is not there', { API_KEYS_FILE: 'no/such/file' }, 'API_KEYS_FILE'],
])('%s that cannot be used is named and not shown', (_what, environment, name) => {
  const { finding } = checkSettings(environment)

  expect(finding).toMatchObject({ state: 'fail' })
  expect(finding.says).toContain(name)
  expect(finding.says).not.toContain('hush')
})

test.each([
  ['24.12.0', 'ok'],
  ['25.0.0', 'ok'],
  ['22.11.0', 'fail'],
])('Node %s is %s', async (version, state) => {
  expect(await checkNode(version)).toMatchObject({ state })
})

function ffmpegWith(isolation: Ffmpeg['isolation']) {
  const ffmpeg = {
    path: '/usr/bin/ffmpeg',
    version: '7.1',
    demuxers: ['wav', 'mp3'],
    decoders: ['flac'],
    isolation,
  }
  return madeUpWorld({ ffmpeg: async () => ffmpeg })
}

test('an ffmpeg that takes the lists is ok, with how many formats they allow', async () => {
  const finding = await checkFfmpeg(ffmpegWith('bubblewrap'))

  expect(finding).toMatchObject({ state: 'ok' })
  expect(finding.says).toMatch(/^ffmpeg 7\.1 \(.*\); only 2 containers and 1 audio decoders/)
})

test('no ffmpeg, or one too old for the lists, fails with the reason', async () => {
  const world = madeUpWorld({ ffmpeg: rejecting('it does not know -codec_whitelist\nand more') })

  expect(await checkFfmpeg(world)).toMatchObject({ state: 'fail', says: 'it does not know -codec_whitelist' })
  expect(await checkIsolation(world)).toMatchObject({ state: 'fail' })
})

test.each(ISOLATION_LEVELS)('isolation %s is told; only none is a warning', async (level) => {
  const finding = await checkIsolation(ffmpegWith(level))

  expect(finding.state).toBe(level === 'none' ? 'warn' : 'ok')
  expect(finding.says).toMatch(new RegExp(`^${level}: `))
})

test('Python with its packages is ok', async () => {
  expect(await checkPython({ python: pythonWith(CPU_TORCH) })).toMatchObject({
    state: 'ok',
    says: 'Python 3.12.3, torch 2.13.0+cpu, transformers 5.18.0',
  })
})

test('a missing package fails by name, and so does a Python that is not there', async () => {
  const lacking = async () => ({ python: '3.12.3', missing: ['torch'] })

  expect(await checkPython({ python: lacking })).toMatchObject({
    state: 'fail',
    says: 'Python 3.12.3 lacks torch',
  })
  expect(await checkPython({ python: rejecting('there is no python') })).toMatchObject({ state: 'fail' })
  expect(await checkTorchBuild(AUTO, madeUpWorld({ python: lacking }))).toMatchObject({ state: 'fail' })
  expect(await checkProduct({ python: lacking })).toMatchObject({ state: 'fail' })
})

test.each([
  ['a build for CUDA', CUDA, cudaTorch(), noSuchProgram, 'ok'],
  ['a build for CPUs where DEVICE=cuda asks for the GPU', CUDA, CPU_TORCH, noSuchProgram, 'fail'],
  ['a build for CPUs on a machine that has a GPU', AUTO, CPU_TORCH, ran('GPU 0: NVIDIA GB10'), 'warn'],
  ['a build for CPUs on a machine that has none', AUTO, CPU_TORCH, noSuchProgram, 'ok'],
  ['a build for CPUs with DEVICE=cpu', CPU, CPU_TORCH, ran('GPU 0'), 'ok'],
])('%s: torch is judged', async (_what, config, torch, run, state) => {
  expect(await checkTorchBuild(config, { python: pythonWith(torch), run })).toMatchObject({ state })
})

test.each([
  [
    'a GB10, whose memory nvidia-smi does not tell',
    CUDA,
    ran('NVIDIA GB10, 580.126.09, [N/A]\n'),
    'ok',
    /memory not told/,
  ],
  ['a card of its own', AUTO, ran('NVIDIA L4, 590.44, 23034 MiB\n'), 'ok', /23034 MiB/],
  [
    'a driver older than the runtime',
    AUTO,
    ran('NVIDIA L4, 570.10, 23034 MiB\n'),
    'fail',
    /CUDA 13\.0 needs 580/,
  ],
  [
    'nvidia-smi that fails, with DEVICE=cuda',
    CUDA,
    ran('', 9, "couldn't communicate"),
    'fail',
    /couldn't communicate/,
  ],
  [
    'nvidia-smi that fails, with DEVICE=auto',
    AUTO,
    ran('', 9, "couldn't communicate"),
    'warn',
    /couldn't communicate/,
  ],
  ['no driver, with DEVICE=cuda', CUDA, noSuchProgram, 'fail', /asks for a GPU/],
  ['no driver, with DEVICE=auto', AUTO, noSuchProgram, 'ok', /without NVIDIA GPU/],
  ['no driver, with DEVICE=cpu', CPU, noSuchProgram, 'ok', /not needed/],
])('%s: the driver is judged', async (_what, config, run, state, says) => {
  const finding = await checkDriver(config, { run, python: pythonWith(cudaTorch()) })

  expect(finding).toMatchObject({ name: 'driver', state })
  expect(finding.says).toMatch(says)
})

test('a driver is told of without a rule for a runtime that we know none of', async () => {
  const torch = { ...cudaTorch(), cuda_version: '14.0' }
  const world = { run: ran('NVIDIA L4, 590.44, 23034 MiB'), python: pythonWith(torch) }

  expect(await checkDriver(AUTO, world)).toMatchObject({
    state: 'ok',
    says: 'NVIDIA L4, driver 590.44, 23034 MiB',
  })
})

test('a driver is told of when torch is not there to ask for a runtime', async () => {
  const world = { run: ran('NVIDIA GB10, 580.126.09, [N/A]'), python: rejecting('no python') }

  expect(await checkDriver(AUTO, world)).toMatchObject({ state: 'ok' })
})

test.each([
  [
    'a GB10 with code for 12.0',
    AUTO,
    cudaTorch(),
    noSuchProgram,
    'ok',
    /^NVIDIA GB10, compute capability 12\.1$/,
  ],
  [
    'code that is compiled when needed',
    AUTO,
    cudaTorch({ built_for: ['compute_90'] }),
    noSuchProgram,
    'ok',
    /12\.1/,
  ],
  [
    'code for other GPUs only',
    AUTO,
    cudaTorch({ built_for: ['sm_80', 'sm_90'] }),
    noSuchProgram,
    'warn',
    /sm_80, sm_90/,
  ],
  [
    'code for a later minor version only',
    AUTO,
    cudaTorch({ built_for: ['sm_123'] }),
    noSuchProgram,
    'warn',
    /sm_123/,
  ],
  ['no GPU with DEVICE=cuda', CUDA, CPU_TORCH, noSuchProgram, 'fail', /without CUDA/],
  ['no GPU', AUTO, CPU_TORCH, noSuchProgram, 'ok', /^none/],
  ['a GPU that torch cannot use', AUTO, CPU_TORCH, ran('GPU 0'), 'warn', /not used/],
  ['DEVICE=cpu', CPU, CPU_TORCH, ran('GPU 0'), 'ok', /not used/],
])('%s: the GPU is judged', async (_what, config, torch, run, state, says) => {
  const finding = await checkCapability(config, { python: pythonWith(torch), run })

  expect(finding).toMatchObject({ name: 'gpu', state })
  expect(finding.says).toMatch(says)
})

test('a product that is right is ok, and one that is not fails with how', async () => {
  const wrong = { ...cudaTorch(), product: 'it is off by up to 3' }

  expect(await checkProduct({ python: pythonWith(cudaTorch()) })).toMatchObject({
    state: 'ok',
    says: expect.stringContaining('NVIDIA GB10'),
  })
  expect(await checkProduct({ python: pythonWith(wrong) })).toMatchObject({
    state: 'fail',
    says: expect.stringContaining('off by up to 3'),
  })
})

const meminfo = (gib: number) => async () => `MemTotal: 1 kB\nMemAvailable:  ${gib * 1024 ** 2} kB\n`
const card = cudaTorch({ is_integrated: false, free_bytes: 3 * GIB, total_bytes: 24 * GIB })

test.each([
  [
    'unified memory, by what Linux could give',
    cudaTorch(),
    meminfo(100),
    3 * GIB,
    'ok',
    /^100\.0 GiB available/,
  ],
  ['unified memory that is used up', cudaTorch(), meminfo(3), 3 * GIB, 'warn', /wants 4\.0 GiB/],
  ['a card, by what it says itself', card, meminfo(100), 2 * GIB, 'ok', /^3\.0 GiB of 24\.0 GiB on the GPU/],
  ['a card that is used up', card, meminfo(100), 3 * GIB, 'warn', /on the GPU; .* wants 4\.0 GiB/],
  ['a CPU, for a model that is not here', CPU_TORCH, meminfo(2), undefined, 'ok', /^2\.0 GiB/],
  ['a system that does not tell', CPU_TORCH, rejecting('no /proc'), GIB, 'ok', /does not tell/],
])('%s: memory is judged', async (_what, torch, readText, weightBytes, state, says) => {
  const finding = await checkMemory(weightBytes, { python: pythonWith(torch), readText })

  expect(finding).toMatchObject({ name: 'memory', state })
  expect(finding.says).toMatch(says)
})

test('what the probe prints after warnings is read, and anything else is refused', () => {
  const printed = `a warning\n${JSON.stringify({ python: '3.12.3', missing: [], transformers: '5', torch: cudaTorch() })}\n`

  expect(parseProbe(printed).torch?.gpu?.capability).toEqual([12, 1])
  expect(() => parseProbe('nothing')).toThrow(/JSON/)
})
