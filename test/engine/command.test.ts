import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { modelArguments, workerCommand } from '../../src/engine/command.ts'

test('the child runs in python/, tells everything at once, and knows the spool', () => {
  expect(workerCommand('/venv/bin/python', ['--fake'], '/data/spool')).toEqual({
    file: '/venv/bin/python',
    args: ['-m', 'whisper_worker', '--fake', '--spool-dir', '/data/spool'],
    cwd: `${resolve('python')}/`,
    environment: { PYTHONUNBUFFERED: '1', API_KEYS: '' },
  })
})

test('the child is told how many threads it may have, when somebody has said so', () => {
  const { environment } = workerCommand('/venv/bin/python', [], '/data/spool', 4)

  expect(environment).toMatchObject({ OMP_NUM_THREADS: '4' })
})

test.each([
  ['a Hub id stays a Hub id', 'syvai/hviske-v2', 'syvai/hviske-v2'],
  ['a relative directory becomes absolute', 'test/audio', resolve('test/audio')],
  ['an absolute directory stays as it is', resolve('test/audio'), resolve('test/audio')],
])('%s', (_what, model, expected) => {
  expect(
    modelArguments({
      model,
      modelRevision: undefined,
      device: 'auto',
      computeType: 'float32',
      slots: 'auto',
      compiles: false,
      hasGraphs: true,
      isGpuRequired: false,
    }),
  ).toEqual(['--model', expected, '--device', 'auto', '--compute-type', 'float32', '--slots', 'auto'])
})

test('the number of slots is told to the child as it was set', () => {
  const args = modelArguments({
    model: 'syvai/hviske-v2',
    modelRevision: undefined,
    device: 'cuda',
    computeType: 'int8',
    slots: 24,
    compiles: false,
    hasGraphs: true,
    isGpuRequired: false,
  })

  expect(args.slice(-4)).toEqual(['--compute-type', 'int8', '--slots', '24'])
})

test('the child compiles, does without graphs, and wants no CPU, only when it is told to', () => {
  const settings = {
    model: 'syvai/hviske-v2',
    modelRevision: undefined,
    device: 'cuda',
    computeType: 'auto',
    slots: 'auto',
  } as const
  const plain = modelArguments({ ...settings, compiles: false, hasGraphs: true, isGpuRequired: false })
  const special = modelArguments({ ...settings, compiles: true, hasGraphs: false, isGpuRequired: true })

  expect(special).toEqual([...plain, '--compile', '--no-graphs', '--require-gpu'])
})

test('a revision is told to the child', () => {
  const config = readConfig({ MODEL_REVISION: '85fadab' })

  expect(modelArguments(config).join(' ')).toContain('--model syvai/hviske-v2 --revision 85fadab ')
})
