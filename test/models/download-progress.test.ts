import { expect, test } from 'vitest'
import { asBytes, asTime, DownloadProgress } from '../../src/models/download-progress.ts'

const PLAN = {
  kind: 'plan',
  model: 'acme/tiny',
  commit: '85fadab',
  directory: '/models/hub',
  files: [
    { name: 'config.json', bytes: 1000, have: 1000 },
    { name: 'model.safetensors', bytes: 3_000_000_000, have: 1_000_000_000 },
  ],
} as const

function follow(columns?: number) {
  const clock = { ms: 0 }
  const progress = new DownloadProgress(columns, () => clock.ms)
  const plan = progress.hear(PLAN)
  const move = (atMs: number, done: number) => {
    clock.ms = atMs
    return progress.hear({ kind: 'moved', name: 'model.safetensors', done })
  }
  return { progress, plan, move }
}

test('what is here already is not fetched, and counts neither for the rate nor for the time left', () => {
  const { plan, move } = follow(100)

  expect(plan).toContain('2 files, 3.00 GB, 2.00 GB to fetch\ninto /models/hub')
  move(0, 1_000_000_000)
  expect(move(2000, 1_100_000_000)).toBe(
    '\r\u001b[K36 %, 1.10 GB of 3.00 GB, 50.0 MB/s, 38 s left, model.safetensors 36 %',
  )
})

test('a line is not longer than the terminal is wide', () => {
  expect(follow(20).move(0, 1_000_000_000)).toBe('\r\u001b[K33 %, 1.00 GB of 3.')
})

test('the rate is that of the last ten seconds', () => {
  const { move } = follow(100)
  move(0, 1_000_000_000)
  move(1000, 1_900_000_000)
  for (let second = 2; second <= 12; second++) move(second * 1000, 1_900_000_000 + second * 1_000_000)

  expect(move(13_000, 1_913_000_000)).toContain(', 1.0 MB/s, ')
})

test('what arrived damaged does not make a negative rate', () => {
  const { move } = follow(100)
  move(0, 1_000_000_000)
  move(1000, 2_900_000_000)
  move(2000, 1_000_000)

  expect(move(3000, 2_000_000)).toContain('1.0 MB/s')
})

test('elsewhere than on a terminal there is a line every ten seconds, and one for each file', () => {
  const { progress, move } = follow()

  const said = [0, 4, 8, 12, 16, 20, 24].map((second) => move(second * 1000, 1_000_000_000 + second * 1e6))

  expect(said.map((line) => line !== '')).toEqual([false, false, false, true, false, false, true])
  expect(said[3]).toBe('33 %, 1.01 GB of 3.00 GB, 1.0 MB/s, 34 min left, model.safetensors 33 %\n')
  expect(progress.hear({ kind: 'checking', name: 'config.json' })).toBe('')
  expect(progress.hear({ kind: 'finished', name: 'config.json' })).toBe('config.json 1.0 kB, whole\n')
})

test.each([
  [{ kind: 'waiting', reason: 'ReadTimeout', seconds: 4 }, 'ReadTimeout; on it again in 4 s\n'],
  [{ kind: 'waiting', reason: 'the connection broke', seconds: 0 }, 'the connection broke; on it again\n'],
] as const)('an interruption is told, with how long it takes', (event, line) => {
  expect(follow().progress.hear(event)).toBe(line)
})

test('sizes and times are written for people', () => {
  expect([999, 1500, 2_500_000, 3_090_000_000].map(asBytes)).toEqual([
    '999 bytes',
    '1.5 kB',
    '2.5 MB',
    '3.09 GB',
  ])
  expect([0.2, 59, 61, 3600, 7260].map(asTime)).toEqual(['1 s', '59 s', '2 min', '1 h 0 min', '2 h 1 min'])
})
