import { expect, test } from 'vitest'
import { joinCheckpoints } from '../../src/engine/checkpoints.ts'
import { Headway } from '../../src/engine/headway.ts'
import type { WindowCheckpoint } from '../../src/transcript.ts'
import { window } from '../workers/wire.ts'
import { whole } from './children.ts'
import { request } from './engines.ts'

/** What a window leaves, as it is stored. */
function stored(index: number, text = ` ${index}`, before?: WindowCheckpoint): WindowCheckpoint {
  const headway = new Headway(request(whole('/a'), { wantsCheckpoints: true, resumeFrom: before }))
  headway.question('us')
  const windows = Array.from({ length: index + 1 }, (_, at) => headway.hear(window(1, at, text)))
  const event = windows.at(-1)?.at(-1)
  if (event?.kind !== 'checkpoint') throw new Error('there is no checkpoint')
  return JSON.parse(JSON.stringify(event.checkpoint)) as WindowCheckpoint
}

const texts = (checkpoint: WindowCheckpoint | undefined) =>
  checkpoint?.segments.map(({ id, text }) => `${id}${text}`)

test('the checkpoints of all windows are one of the whole', () => {
  const joined = joinCheckpoints([stored(0), stored(1), stored(2)])

  expect(joined).toMatchObject({ firstWindow: 0, windows: 3, endSeconds: 3 })
  expect(texts(joined)).toEqual(['0 0', '1 1', '2 2'])
  expect(joined?.engine).toEqual(stored(2).engine)
})

test('without any there is nothing to go on from', () => {
  expect(joinCheckpoints([])).toBeUndefined()
})

test.each([
  ['a recording that was begun again is what came then', [0, 1, 2, 0, 1], ['0 0', '1 1']],
  ['a window that was done twice counts as it was done last', [0, 1, 2, 1], ['0 0', '1 1']],
  ['what comes after a gap does not count', [0, 2, 3], ['0 0']],
  ['a beginning that is missing leaves nothing', [1, 2], undefined],
])('%s', (_what, windows, expected) => {
  expect(texts(joinCheckpoints(windows.map((index) => stored(index))))).toEqual(expected)
})

test.each([
  ['is damaged', { ...stored(1), segments: [{ id: 1 }] }],
  ['is of another version', { ...stored(1), engine: { ...(stored(1).engine as object), place: { at: 3 } } }],
  ['is no checkpoint', 'a line that was torn'],
])('a checkpoint that %s is as if it were not there', (_what, value) => {
  expect(texts(joinCheckpoints([stored(0), value, stored(2)]))).toEqual(['0 0'])
})

test('words and log-probabilities come back as they were', () => {
  const one = stored(0)
  const [segment] = one.segments
  if (segment === undefined) throw new Error('there is no segment')
  const words = [{ word: ' 0', startSeconds: 0, endSeconds: 1, probability: 0.5 }]
  const logprobs = [{ token: ' 0', logprob: -0.1, bytes: [32, 48] }]
  const full = { ...one, segments: [{ ...segment, words, logprobs }] }

  expect(joinCheckpoints([JSON.parse(JSON.stringify(full))])).toEqual(full)
})

test('one that is not the beginning is a mistake of whoever goes on from it', () => {
  expect(() => new Headway(request(whole('/a'), { resumeFrom: stored(1) }))).toThrow('joined')
})
