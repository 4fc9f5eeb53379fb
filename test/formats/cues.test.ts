import { describe, expect, test } from 'vitest'
import { type Cue, cuesOf, MAX_CUE_MS, MAX_LINE_CHARACTERS, MIN_CUE_MS } from '../../src/formats/cues.ts'
import type { Segment } from '../../src/transcript.ts'
import { segmentOf } from './transcripts.ts'

const linesOf = (segments: readonly Segment[]) => cuesOf(segments).map(({ lines }) => lines)
const withoutWords = (text: string, startSeconds: number, endSeconds: number): Segment => {
  const { words: _, ...segment } = segmentOf(text, startSeconds, { endSeconds })
  return segment
}

describe('cues', () => {
  test('are none when nobody speaks', () => {
    expect(cuesOf([])).toEqual([])
    expect(cuesOf([segmentOf('  ')])).toEqual([])
  })

  test('keep a short sentence on one line, and give it time to be read', () => {
    expect(cuesOf([segmentOf(' Ja.', 2)])).toEqual([{ startMs: 2000, endMs: 3000, lines: ['Ja.'] }])
  })

  test('balance their two lines, and leave no preposition behind', () => {
    expect(
      linesOf([segmentOf(' Toget til Aarhus kører i dag fra spor fire i stedet for spor syv.')]),
    ).toEqual([['Toget til Aarhus kører i dag', 'fra spor fire i stedet for spor syv.']])
  })

  test('end where a sentence ends rather than where a line is full', () => {
    const text = ' Toget til Aarhus kører nu. Vi beder alle gå til spor fire, for døren lukker om lidt.'

    expect(linesOf([segmentOf(text)])[0]).toEqual(['Toget til Aarhus kører nu.'])
  })

  test('do not span a silence', () => {
    expect(linesOf([segmentOf(' Hallo', 0), segmentOf(' er der nogen', 3)])).toEqual([
      ['Hallo'],
      ['er der nogen'],
    ])
  })

  test('end where the speaker pauses, when there is no punctuation to go by', () => {
    const first = segmentOf(' toget kører klokken otte fra spor fire')
    const second = segmentOf(' og bussen kører klokken ni fra torvet', (first.endSeconds ?? 0) + 0.5)

    expect(linesOf([first, second])).toEqual([
      ['toget kører klokken otte fra spor fire'],
      ['og bussen kører klokken ni fra torvet'],
    ])
  })

  test('leave a word that is longer than a line whole, on a line of its own', () => {
    const compound = 'speciallægepraksisplanlægningsstabiliseringsperiode'

    const lines = linesOf([segmentOf(` Det er en ${compound} siger de.`)]).flat()

    expect(lines).toContain(compound)
    expect(lines.join(' ')).toBe(`Det er en ${compound} siger de.`)
  })

  test('join the pieces of a word without a space', () => {
    const words = [' l', "'", 'eau', ' froide'].map((word, index) => ({
      word,
      startSeconds: index,
      endSeconds: index + 0.9,
      probability: 1,
    }))

    expect(linesOf([segmentOf(" l'eau froide", 0, { words })])).toEqual([["l'eau froide"]])
  })

  test('break a script without spaces between its characters', () => {
    const text =
      '今日は天気がいいから散歩しましょうと彼女が言ったので私たちは公園まで歩いて行くことにしましたがすぐに雨が降り始めました'
    const words = Array.from(text, (word, index) => ({
      word,
      startSeconds: index * 0.1,
      endSeconds: index * 0.1 + 0.1,
      probability: 1,
    }))

    const lines = linesOf([segmentOf(text, 0, { words })]).flat()

    expect(lines.join('')).toBe(text)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(MAX_LINE_CHARACTERS)
  })

  test('share out a segment’s time by characters when its words were not timed', () => {
    const text =
      ' Nu kommer der en lang sætning uden tidspunkter på ordene. Og så kommer der endnu en, der er lige så lang.'

    const cues = cuesOf([withoutWords(text, 10, 20)])

    expect(cues.map(({ lines }) => lines.join(' ')).join(' ')).toBe(text.trim())
    expect(cues[0]?.startMs).toBe(10_000)
    expect(cues[1]?.startMs).toBeGreaterThan(14_000)
    expect(cues[1]?.startMs).toBeLessThan(16_000)
  })

  test('of words that all have the same time come one after the other, each long enough to be seen', () => {
    const frozen = segmentOf(
      ' et to tre fire fem seks syv otte ni ti elleve tolv tretten fjorten femten seksten sytten',
    )
    const words = (frozen.words ?? []).map((word) => ({ ...word, startSeconds: 5, endSeconds: 5 }))

    const cues = cuesOf([{ ...frozen, words }])

    expect(cues.length).toBeGreaterThan(1)
    expectReadable(cues)
  })

  test('of a whole day, 150,000 words, are made in seconds of one core: effort grows with the length, not its square', () => {
    const sentence = ' og så sagde han noget som ingen af de andre havde hørt før den aften i haven ved søen'
    const day = Array.from({ length: 8640 }, (_, index) => segmentOf(sentence, index * 9.4))
    // Time on the processor, not on the wall: the machine may have other work.
    const before = process.cpuUsage()

    const cues = cuesOf(day)

    expect(process.cpuUsage(before).user / 1e6).toBeLessThan(10)
    expect(cues).toHaveLength(12_960)
    expectReadable(cues.slice(-20))
  })
})

describe('whatever was said', () => {
  test.each(Array.from({ length: 60 }, (_, seed) => seed))(
    'every word is in one cue, in order, within the limits (%i)',
    (seed) => {
      const segments = randomSegments(seed)

      const cues = cuesOf(segments)

      const spoken = segments
        .map(({ text }) => text)
        .join('')
        .split(/\s+/)
        .filter(Boolean)
      expect(
        cues
          .flatMap(({ lines }) => lines)
          .join(' ')
          .split(' '),
      ).toEqual(spoken)
      expectReadable(cues)
    },
  )
})

function expectReadable(cues: readonly Cue[]) {
  let latestMs = 0
  for (const { startMs, endMs, lines } of cues) {
    expect(startMs).toBeGreaterThanOrEqual(latestMs)
    expect(endMs - startMs).toBeGreaterThanOrEqual(MIN_CUE_MS)
    expect(endMs - startMs).toBeLessThanOrEqual(MAX_CUE_MS)
    expect(lines.length).toBeGreaterThanOrEqual(1)
    expect(lines.length).toBeLessThanOrEqual(2)
    const lengths = lines.filter((line) => line.includes(' ')).map((line) => line.length)
    expect(Math.max(0, ...lengths)).toBeLessThanOrEqual(MAX_LINE_CHARACTERS)
    latestMs = endMs
  }
}

/** Words of 1 to 60 letters, now and then a pause, a full stop, a frozen or a very slow word. The same for the same seed. */
function randomSegments(seed: number): Segment[] {
  let state = seed + 1
  const random = () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
  let clock = random() * 10
  return Array.from({ length: 1 + Math.floor(random() * 5) }, () => {
    const words = Array.from({ length: 1 + Math.floor(random() * 40) }, () => {
      const letters = random() < 0.03 ? 60 : 1 + Math.floor(random() * 12)
      const word = ` ${'abcdefghijklæøå'.repeat(5).slice(0, letters)}${random() < 0.1 ? '.' : ''}`
      const startSeconds = clock + (random() < 0.1 ? random() * 2 : 0)
      const endSeconds = startSeconds + (random() < 0.1 ? 0 : random() < 0.02 ? 12 : random() * 0.6)
      clock = endSeconds
      return { word, startSeconds, endSeconds, probability: 0.5 }
    })
    return segmentOf(words.map(({ word }) => word).join(''), words[0]?.startSeconds ?? 0, {
      words,
      endSeconds: clock,
    })
  })
}
