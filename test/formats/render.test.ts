import { describe, expect, test } from 'vitest'
import { RESPONSE_FORMATS, render } from '../../src/formats/render.ts'
import { segmentOf, silentTranscript, transcriptOf } from './transcripts.ts'

const plain = { hasWords: false, isForVexa: false, hasLogprobs: false, listsLanguages: false }
const verbose = (transcript: Parameters<typeof render>[0], options = plain) =>
  JSON.parse(render(transcript, 'verbose_json', options).body) as Record<string, unknown>

describe('a transcript in which nobody speaks', () => {
  test.each([
    ['json', '{"text":"","usage":{"type":"duration","seconds":1}}'],
    ['text', '\n'],
    ['srt', ''],
    ['vtt', 'WEBVTT\n\n'],
  ] as const)('is %s with nothing in it', (format, body) => {
    expect(render(transcriptOf([]), format, plain).body).toBe(body)
  })

  test('is verbose_json with empty lists', () => {
    expect(verbose(transcriptOf([]), { ...plain, hasWords: true })).toMatchObject({
      text: '',
      segments: [],
      words: [],
    })
  })
})

test.each(RESPONSE_FORMATS)('%s says every word', (format) => {
  const { body } = render(transcriptOf([' Rødgrød', ' med fløde.']), format, plain)

  expect(body.replace(/\s+/g, ' ')).toContain('Rødgrød med fløde.')
})

describe('json', () => {
  const json = (transcript: Parameters<typeof render>[0], options: Partial<typeof plain>) =>
    JSON.parse(render(transcript, 'json', { ...plain, ...options }).body) as Record<string, unknown>
  const halfOfÆ = { token: '\ufffd', logprob: -0.12345678, bytes: [0xc3] }
  const rest = { token: '\ufffd', logprob: 0, bytes: [0xa6] }

  test('tells every token in order when asked, and its bytes as they are', () => {
    const segments = [
      segmentOf(' æ', 0, { logprobs: [halfOfÆ, rest] }),
      segmentOf(' æ', 1, { logprobs: [rest] }),
    ]

    expect(json(transcriptOf([], { segments }), { hasLogprobs: true }).logprobs).toEqual([
      { ...halfOfÆ, logprob: -0.123457 },
      rest,
      rest,
    ])
    expect(json(transcriptOf([], { segments }), {})).not.toHaveProperty('logprobs')
  })

  test('has no tokens where nobody speaks', () => {
    expect(json(transcriptOf([]), { hasLogprobs: true }).logprobs).toEqual([])
  })

  test.each([
    ['the language', transcriptOf([' Ja.']), [{ code: 'da' }]],
    ['nothing where nobody speaks a language that was to be detected', silentTranscript(), []],
    ['nothing where nobody speaks the language that was named', transcriptOf([]), []],
  ])('lists %s when languages are to be listed', (_what, transcript, languages) => {
    expect(json(transcript, { listsLanguages: true }).languages).toEqual(languages)
    expect(json(transcript, {})).not.toHaveProperty('languages')
  })
})

describe('verbose_json of a translation', () => {
  const translation = transcriptOf([' Yes.'], { task: 'translate', languageProbability: 0.98765432 })

  test('is in English, and tells beside it what was spoken', () => {
    expect(verbose(translation)).toMatchObject({
      task: 'translate',
      language: 'english',
      language_code: 'en',
      source_language: 'danish',
      source_language_code: 'da',
      source_language_probability: 0.987654,
    })
    expect(verbose(translation)).not.toHaveProperty('language_probability')
  })

  test('tells no source where nobody speaks, and no probability that was not measured', () => {
    const silent = verbose({ ...silentTranscript(), task: 'translate' })
    const named = verbose(transcriptOf([' Yes.'], { task: 'translate' }))

    expect(silent.language).toBe('english')
    expect(JSON.stringify(silent)).not.toContain('source_language')
    expect(named.source_language_code).toBe('da')
    expect(named).not.toHaveProperty('source_language_probability')
  })

  test('tells Vexa what is spoken: it pins its next requests to that', () => {
    const answer = verbose(translation, { ...plain, isForVexa: true })

    expect(answer).toMatchObject({ task: 'translate', language: 'da', language_probability: 0.987654 })
    expect(JSON.stringify(answer)).not.toContain('source_language')
  })
})

describe('verbose_json', () => {
  test('rounds times to milliseconds and figures to what was measured', () => {
    const segment = segmentOf(' Ja.', 1.23456789)

    expect(verbose(transcriptOf([], { segments: [segment], durationSeconds: 3.00049 }))).toMatchObject({
      duration: 3,
      usage: { type: 'duration', seconds: 4 },
      segments: [{ start: 1.235, end: 1.635, avg_logprob: -0.123457, tokens: [1, 2], seek: 0, id: 0 }],
    })
  })

  test('leaves out what was not measured and what did not happen', () => {
    const answer = verbose(transcriptOf([' Ja.']))

    expect(answer).not.toHaveProperty('language_probability')
    expect(answer).not.toHaveProperty('dropped')
    expect(answer).not.toHaveProperty('warnings')
    expect(answer).not.toHaveProperty('words')
    expect(answer.segments).not.toHaveProperty('[0].words')
    expect(JSON.stringify(answer)).not.toContain('null')
  })

  test('tells what a guard removed', () => {
    const dropped = [{ reason: 'no_speech', startSeconds: 1.00004, endSeconds: 2, text: ' Tak.' }]

    expect(verbose(transcriptOf([], { dropped })).dropped).toEqual([
      { reason: 'no_speech', start: 1, end: 2, text: ' Tak.' },
    ])
  })

  test('tells what a guard doubts and kept', () => {
    const warnings = [{ reason: 'unsure', startSeconds: 0, endSeconds: 0.40006, text: ' Ja.' }]

    expect(verbose(transcriptOf([' Ja.'], { warnings }))).toMatchObject({
      text: 'Ja.',
      warnings: [{ reason: 'unsure', start: 0, end: 0.4, text: ' Ja.' }],
    })
  })

  test.each([true, false])('makes no language up where nobody speaks (for Vexa: %s)', (isForVexa) => {
    const answer = verbose(silentTranscript(), { ...plain, isForVexa })

    expect(answer.language).toBe('unknown')
    expect(answer).not.toHaveProperty('language_code')
    expect(answer).not.toHaveProperty('language_probability')
  })

  test('names a language outside Whisper’s table by its code', () => {
    expect(verbose(transcriptOf([], { language: 'kl' }))).toMatchObject({
      language: 'kl',
      language_code: 'kl',
    })
  })

  test('keeps the leading space of words in segments, so that joined they are the text', () => {
    const answer = verbose(transcriptOf([' Toget kører,', ' klokken otte.']), { ...plain, hasWords: true })
    const segments = answer.segments as { text: string; words: { word: string }[] }[]

    expect(
      segments
        .flatMap(({ words }) => words.map(({ word }) => word))
        .join('')
        .trim(),
    ).toBe(answer.text)
  })

  test.each([
    [' otte.', 'otte'],
    [' "Hej,"', 'Hej'],
    [' »Hvad?!«', 'Hvad'],
    [' (måske)', 'måske'],
    [' -5', '-5'],
    [' –nej', 'nej'],
    [' 100%', '100%'],
    [' R&D', 'R&D'],
    [' f.eks.', 'f.eks'],
    [" l'eau", "l'eau"],
    [' 3,14', '3,14'],
    [' ...', '...'],
    [' –', '–'],
    [' 你好。', '你好'],
  ])('strips the top-level word %j to %j', (word, bare) => {
    const words = [{ word, startSeconds: 0, endSeconds: 1, probability: 1 }]
    const transcript = transcriptOf([], { segments: [segmentOf(word, 0, { words })] })

    expect(verbose(transcript, { ...plain, hasWords: true }).words).toEqual([
      { word: bare, start: 0, end: 1 },
    ])
  })
})

describe('subtitles', () => {
  test.each([
    [0, '00:00:00,000 --> 00:00:01,000'],
    [59.9996, '00:01:00,000 --> 00:01:01,000'],
    [3599.5, '00:59:59,500 --> 01:00:00,500'],
    [3661.007, '01:01:01,007 --> 01:01:02,007'],
    [86_399, '23:59:59,000 --> 24:00:00,000'],
    [360_000, '100:00:00,000 --> 100:00:01,000'],
  ])('at %d s stand at %s', (startSeconds, times) => {
    const transcript = transcriptOf([], { segments: [segmentOf(' Ja.', startSeconds)] })

    expect(render(transcript, 'srt', plain).body).toBe(`1\n${times}\nJa.\n`)
    expect(render(transcript, 'vtt', plain).body).toBe(`WEBVTT\n\n${times.replaceAll(',', '.')}\nJa.\n`)
  })

  test('are numbered from one with an empty line between', () => {
    const transcript = transcriptOf([], { segments: [segmentOf(' Ja.', 0), segmentOf(' Nej.', 5)] })

    expect(render(transcript, 'srt', plain).body).toBe(
      '1\n00:00:00,000 --> 00:00:01,000\nJa.\n\n2\n00:00:05,000 --> 00:00:06,000\nNej.\n',
    )
  })

  test('hold no markup that the words did not mean', () => {
    const transcript = transcriptOf([' a<b> & c --> d'])

    expect(render(transcript, 'vtt', plain).body).toContain('\na&lt;b&gt; &amp; c --&gt; d\n')
    expect(render(transcript, 'srt', plain).body).toContain('\na<b> & c → d\n')
  })
})
