// Settings, programs, Python and torch's build: each line for a machine that has it, and for one that has not.
import { expect, test } from 'vitest'
import type { Ffmpeg } from '../../src/audio/ffmpeg.ts'
import { ISOLATION_LEVELS } from '../../src/audio/isolation.ts'
import { checkProduct } from '../../src/doctor/gpu.ts'
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

const AUTO = configWith({})
const CUDA = configWith({ DEVICE: 'cuda' })
const CPU = configWith({ DEVICE: 'cpu' })
const REQUIRED = configWith({ REQUIRE_GPU: '1' })

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
  expect(await checkProduct(AUTO, { python: lacking })).toMatchObject({ state: 'fail' })
})

test.each([
  ['a build for CUDA', CUDA, cudaTorch(), noSuchProgram, 'ok'],
  ['a build for CPUs where DEVICE=cuda asks for the GPU', CUDA, CPU_TORCH, noSuchProgram, 'fail'],
  ['a build for CPUs where REQUIRE_GPU=1 asks for the GPU', REQUIRED, CPU_TORCH, noSuchProgram, 'fail'],
  ['a build for CPUs on a machine that has a GPU', AUTO, CPU_TORCH, ran('GPU 0: NVIDIA GB10'), 'warn'],
  ['a build for CPUs on a machine that has none', AUTO, CPU_TORCH, noSuchProgram, 'ok'],
  ['a build for CPUs with DEVICE=cpu', CPU, CPU_TORCH, ran('GPU 0'), 'ok'],
])('%s: torch is judged', async (_what, config, torch, run, state) => {
  expect(await checkTorchBuild(config, { python: pythonWith(torch), run })).toMatchObject({ state })
})

test('what the probe prints after warnings is read, and anything else is refused', () => {
  const printed = `a warning\n${JSON.stringify({ python: '3.12.3', missing: [], transformers: '5', torch: cudaTorch() })}\n`

  expect(parseProbe(printed).torch?.gpu?.capability).toEqual([12, 1])
  expect(() => parseProbe('nothing')).toThrow(/JSON/)
})
