import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { modelArguments, workerCommand } from '../../src/engine/command.ts'

test('the child runs in python/, tells everything at once, and knows the spool', () => {
  expect(workerCommand('/venv/bin/python', ['--fake'], '/data/spool')).toEqual({
    file: '/venv/bin/python',
    args: ['-m', 'whisper_worker', '--fake', '--spool-dir', '/data/spool'],
    cwd: `${resolve('python')}/`,
    environment: { PYTHONUNBUFFERED: '1' },
  })
})

test.each([
  ['a Hub id stays a Hub id', 'syvai/hviske-v2', 'syvai/hviske-v2'],
  ['a relative directory becomes absolute', 'test/audio', resolve('test/audio')],
  ['an absolute directory stays as it is', resolve('test/audio'), resolve('test/audio')],
])('%s', (_what, model, expected) => {
  expect(modelArguments({ model, device: 'auto', computeType: 'float32' })).toEqual([
    '--model',
    expected,
    '--device',
    'auto',
    '--compute-type',
    'float32',
  ])
})
