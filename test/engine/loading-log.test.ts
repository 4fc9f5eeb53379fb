import { expect, test } from 'vitest'
import { loadingLog } from '../../src/engine/loading-log.ts'
import { recordingLog } from './children.ts'

test('a download is told every two seconds, a new stage at once', () => {
  const { log, entries } = recordingLog()
  let nowMs = 0
  const report = loadingLog(log, () => nowMs)

  for (const percent of [0, 10, 20, 30, 40]) {
    report({ kind: 'loading', stage: 'downloading', message: 'model.safetensors', fraction: percent / 100 })
    nowMs += 1000
  }
  report({ kind: 'loading', stage: 'warming_up', message: 'first inference', fraction: null })

  expect(entries.map(({ message }) => message)).toEqual([
    'downloading: model.safetensors 0 %',
    'downloading: model.safetensors 20 %',
    'downloading: model.safetensors 40 %',
    'warming up: first inference',
  ])
})
