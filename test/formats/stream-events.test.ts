import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type StreamEvent, streamEvents } from '../../src/formats/stream-events.ts'
import { TrimmedText } from '../../src/formats/trimmed-text.ts'
import type { Segment, Transcript, TranscriptEvent } from '../../src/transcript.ts'
import { segmentOf, silentTranscript, transcriptOf } from './transcripts.ts'

const PLAIN = { hasLogprobs: false, listsLanguages: false }

async function told(events: readonly TranscriptEvent[], options = PLAIN): Promise<StreamEvent[]> {
  return Array.fromAsync(streamEvents(asStream(events), options))
}

async function* asStream(events: readonly TranscriptEvent[]): AsyncGenerator<TranscriptEvent> {
  yield* events
}

const delta = (text: string): TranscriptEvent => ({ kind: 'delta', text })
const done = (transcript: Transcript): TranscriptEvent => ({ kind: 'done', transcript })
const deltasOf = (events: readonly StreamEvent[]) =>
  events.flatMap((event) => (event.type === 'transcript.text.delta' ? [event.delta] : []))

describe('a text told in pieces', () => {
  test.each([
    [
      [' Toget', ' kører.'],
      ['Toget', ' kører.'],
    ],
    [
      ['  ', '\n', ' Toget'],
      ['', '', 'Toget'],
    ],
    [
      ['Toget ', '  ', 'kører '],
      ['Toget', '', '   kører'],
    ],
    [
      [' ', '', ' '],
      ['', '', ''],
    ],
    [['\u00a0Toget\u2028'], ['Toget']],
  ])('%j is handed on as %j', (given, expected) => {
    const text = new TrimmedText()

    expect(given.map((piece) => text.add(piece))).toEqual(expected)
    expect(expected.join('')).toBe(given.join('').trim())
  })

  test('is the trimmed text, wherever it was cut', () => {
    const anyPiece = fc.string({ unit: fc.constantFrom(' ', '\n', '\u00a0', '\u3000', 'a', 'ø', '😀') })
    fc.assert(
      fc.property(fc.array(anyPiece), (pieces) => {
        const text = new TrimmedText()
        const told = pieces.map((piece) => text.add(piece)).join('')

        expect(told).toBe(pieces.join('').trim())
        expect(text.restOf(told)).toBe('')
      }),
    )
  })

  test('knows what is missing of the whole', () => {
    const text = new TrimmedText()
    text.add(' Toget ')

    expect(text.restOf('Toget kører')).toBe(' kører')
    expect(text.restOf('Toget')).toBe('')
  })

  test.each(['toget', 'Tog', ''])('is no beginning of %j, and the complaint does not repeat it', (whole) => {
    const text = new TrimmedText()
    text.add(' Toget')

    expect(() => text.restOf(whole)).toThrow(/not the beginning of the text: 5 characters told/)
    expect(() => text.restOf(whole)).not.toThrow(/Toget/)
  })
})

describe('a stream without logprobs', () => {
  const transcript = transcriptOf([' Toget kører', ' klokken otte.'], { promptTokens: 3 })

  test('tells deltas as they come, trimmed to the text, and then all of it with its tokens', async () => {
    const [first, second] = transcript.segments as [Segment, Segment]
    const events = await told([
      { kind: 'decoded', durationSeconds: 2.15 },
      delta(' Toget'),
      delta(' kører'),
      { kind: 'segments', segments: [first] },
      { kind: 'progress', processedSeconds: 1, durationSeconds: 2.15 },
      delta(' klokken otte.'),
      { kind: 'segments', segments: [second] },
      done(transcript),
    ])

    expect(deltasOf(events)).toEqual(['Toget', ' kører', ' klokken otte.'])
    expect(events.at(-1)).toEqual({
      type: 'transcript.text.done',
      text: 'Toget kører klokken otte.',
      usage: {
        type: 'tokens',
        input_tokens: 111,
        input_token_details: { text_tokens: 3, audio_tokens: 108 },
        output_tokens: 4,
        total_tokens: 115,
      },
    })
  })

  test.each([
    [0, 0],
    [0.02, 1],
    [0.0201, 2],
    [8.06, 403], // in floating point a little more
    [29.999_937_5, 1500],
    [3600, 180_000],
  ])('counts a recording of %d s as %i tokens of 20 ms', async (durationSeconds, tokens) => {
    const [event] = await told([done(transcriptOf([], { durationSeconds }))])

    expect(event).toMatchObject({ usage: { input_token_details: { audio_tokens: tokens } } })
  })

  test('says what no delta said: the rest, as the last one', async () => {
    expect(deltasOf(await told([delta(' Toget'), done(transcript)]))).toEqual([
      'Toget',
      ' kører klokken otte.',
    ])
  })

  test('of silence is `done` alone', async () => {
    expect(await told([done(silentTranscript())])).toMatchObject([{ type: 'transcript.text.done', text: '' }])
  })

  test('fails when what was said is not how the text begins', async () => {
    const heard: StreamEvent[] = []
    const reading = (async () => {
      const events = asStream([delta(' Bussen'), done(transcript)])
      for await (const event of streamEvents(events, PLAIN)) heard.push(event)
    })()

    await expect(reading).rejects.toThrow('not the beginning of the text')
    expect(deltasOf(heard)).toEqual(['Bussen'])
    expect(heard).toHaveLength(1)
  })

  test('fails when the events end without `done`', async () => {
    await expect(told([delta(' Toget')])).rejects.toThrow('ended without `done`')
  })

  test('tells a reader who leaves to the events', async () => {
    let hasLeft = false
    const events = async function* (): AsyncGenerator<TranscriptEvent> {
      try {
        yield delta(' Toget')
        yield delta(' kører')
      } finally {
        hasLeft = true
      }
    }

    for await (const event of streamEvents(events(), PLAIN)) if (deltasOf([event]).length > 0) break

    expect(hasLeft).toBe(true)
  })
})

describe('a stream with logprobs', () => {
  const WITH = { hasLogprobs: true, listsLanguages: false }
  const token = (text: string) => ({ token: text, logprob: -0.25, bytes: [...Buffer.from(text)] })
  const spoken = (id: number, text: string) => segmentOf(text, id, { id, logprobs: [token(text)] })
  const segments = [spoken(0, ' Toget '), spoken(1, '  '), spoken(2, ' kører.')]
  const transcript = transcriptOf([], { segments, text: 'Toget    kører.' })

  test('tells segments, each with the logprobs of its tokens, and all of them in the end', async () => {
    const events = await told(
      [
        ...segments.map((each): TranscriptEvent => ({ kind: 'segments', segments: [each] })),
        done(transcript),
      ],
      WITH,
    )

    expect(events).toMatchObject([
      { delta: 'Toget', logprobs: [token(' Toget ')] },
      { delta: '    kører.', logprobs: [token('  '), token(' kører.')] },
      { type: 'transcript.text.done', logprobs: segments.map(({ text }) => token(text)) },
    ])
  })

  test('does not say twice what deltas say', async () => {
    const events = [delta(' Toget'), { kind: 'segments', segments } as const, done(transcript)]

    expect(deltasOf(await told(events, WITH))).toEqual([transcript.text])
  })

  test('tells the rest with the logprobs of the segments that were not told', async () => {
    const events = await told([{ kind: 'segments', segments: segments.slice(0, 1) }, done(transcript)], WITH)

    expect(events).toMatchObject([
      { delta: 'Toget', logprobs: [token(' Toget ')] },
      { delta: '    kører.', logprobs: [token('  '), token(' kører.')] },
      { type: 'transcript.text.done' },
    ])
  })
})

test('the languages are listed where they are asked for', async () => {
  const events = await told([done(transcriptOf([' Toget']))], { ...PLAIN, listsLanguages: true })

  expect(events.at(-1)).toMatchObject({ languages: [{ code: 'da' }] })
  expect((await told([done(transcriptOf([' Toget']))])).at(-1)).not.toHaveProperty('languages')
})
