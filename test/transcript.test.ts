import { expect, test } from 'vitest'
import { collect, joinText, type Segment, type Transcript, type TranscriptEvent } from '../src/transcript.ts'

function segments(...texts: string[]): Segment[] {
  const figures = { seek: 0, temperature: 0, avgLogprob: 0, compressionRatio: 1, noSpeechProb: 0, tokens: [] }
  return texts.map((text, id) => ({ id, startSeconds: id, endSeconds: id + 1, text, ...figures }))
}

const TRANSCRIPT: Transcript = {
  task: 'transcribe',
  text: 'Hej.',
  language: 'da',
  durationSeconds: 1,
  promptTokens: 0,
  segments: segments(' Hej.'),
  dropped: [],
  warnings: [],
}

async function* events(...list: TranscriptEvent[]): AsyncGenerator<TranscriptEvent> {
  yield* list
}

test.each([
  [
    'the joined segments without the outer spaces',
    [' Hej', ' med dig. ', ' Farvel. '],
    'Hej med dig.  Farvel.',
  ],
  ['empty for silence', [], ''],
])('the text of a transcript is %s', (_what, texts, expected) => {
  expect(joinText(segments(...texts))).toBe(expected)
})

test('collecting waits for the transcript', async () => {
  const decoded = { kind: 'decoded', durationSeconds: 1 } as const

  expect(await collect(events(decoded, { kind: 'done', transcript: TRANSCRIPT }))).toBe(TRANSCRIPT)
})

test('events that end without a transcript are a bug, not an empty transcript', async () => {
  await expect(collect(events({ kind: 'decoded', durationSeconds: 1 }))).rejects.toThrow('without `done`')
})
