// Whatever is said and whenever: two parsers that others wrote read our subtitles without a complaint, word for word.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cuesOf } from '../../src/formats/cues.ts'
import { srt, vtt } from '../../src/formats/subtitles.ts'
import type { Segment } from '../../src/transcript.ts'
import { readByPlayers, readByW3c } from './subtitle-parsers.ts'
import { segmentOf } from './transcripts.ts'

/** Words and what is markup to somebody; no braces, which SubRip players take for style whatever one does. */
const word = fc.oneof(
  fc.constantFrom(
    '&',
    '<',
    '>',
    '-->',
    '->',
    '&amp;',
    '<i>',
    'WEBVTT',
    'NOTE',
    'STYLE',
    '1',
    '00:00:01.000',
    'Å',
    '你好',
    '-',
  ),
  fc.stringMatching(/^[\p{L}\p{N}.,!?'&<>:;-]{1,12}$/u),
)
const segments = fc
  .array(
    fc.tuple(fc.array(word, { minLength: 1, maxLength: 12 }), fc.double({ min: 0, max: 30, noNaN: true })),
    {
      maxLength: 6,
    },
  )
  .map((spoken) => {
    const all: Segment[] = []
    for (const [words, pauseSeconds] of spoken) {
      all.push(segmentOf(` ${words.join(' ')}`, (all.at(-1)?.endSeconds ?? 0) + pauseSeconds))
    }
    return all
  })

const wordsIn = (texts: readonly string[]) => texts.join(' ').split(/\s+/).filter(Boolean)

test('WebVTT is valid, and holds each word once and in order', async () => {
  const isRead = async (spoken: Segment[]) => {
    const cues = cuesOf(spoken)
    const byW3c = readByW3c(vtt(cues))

    expect(byW3c.errors).toEqual([])
    const unescape = (text: string) =>
      text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
    expect(wordsIn(byW3c.cues.map(({ text }) => unescape(text)))).toEqual(
      wordsIn(spoken.map(({ text }) => text)),
    )
    expect((await readByPlayers(vtt(cues), 'vtt')).cues).toHaveLength(cues.length)
    expectOrder(byW3c.cues)
  }

  await fc.assert(fc.asyncProperty(segments, isRead), { seed: 2026, numRuns: 200 })
})

test('SubRip has as many cues as were written, in order', async () => {
  const isRead = async (spoken: Segment[]) => {
    const cues = cuesOf(spoken)
    const { cues: read } = await readByPlayers(srt(cues), 'srt')

    expect(
      read.map(({ startTime, endTime }) => [startTime, endTime].map((time) => Math.round(time * 1000))),
    ).toEqual(cues.map(({ startMs, endMs }) => [startMs, endMs]))
    expectOrder(read)
  }

  await fc.assert(fc.asyncProperty(segments, isRead), { seed: 2026, numRuns: 200 })
})

function expectOrder(cues: readonly { readonly startTime: number; readonly endTime: number }[]): void {
  let earliest = 0
  for (const { startTime, endTime } of cues) {
    expect(startTime).toBeGreaterThanOrEqual(earliest)
    expect(endTime).toBeGreaterThan(startTime)
    earliest = endTime
  }
}
