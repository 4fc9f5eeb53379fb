import { expect, test } from 'vitest'
import { markdown } from '../../src/formats/markdown.ts'
import { segmentOf, silentTranscript, transcriptOf } from './transcripts.ts'

const endedAt = new Date('2026-11-20T10:00:00Z')

test('a transcript has a title, its facts, and paragraphs with the time at which they begin', () => {
  const segments = [
    segmentOf(' Toget kører'),
    segmentOf(' klokken otte.', 1),
    segmentOf(' Det regner.', 3725),
  ]
  const transcript = transcriptOf([], { segments, durationSeconds: 3730 })

  expect(markdown(transcript, { title: 'møde.wav', endedAt })).toBe(`# møde.wav

- Length: 1:02:10
- Language: danish
- Transcribed: 2026-11-20T10:00:00.000Z

**[0:00]** Toget kører klokken otte.

**[1:02:05]** Det regner.
`)
})

test('a short pause goes on with the paragraph, and a long one begins another', () => {
  const at = (...starts: number[]) =>
    transcriptOf([], { segments: starts.map((start) => segmentOf(' ja', start)) })
  const paragraphs = (...starts: number[]) => markdown(at(...starts), { title: 'x' }).match(/\*\*\[/g)?.length

  expect(paragraphs(0, 1, 2.39)).toBe(1)
  expect(paragraphs(0, 2.4, 3)).toBe(2)
})

test('who never pauses is given a paragraph now and then', () => {
  const segments = Array.from({ length: 20 }, (_, n) =>
    segmentOf(` ${'ord '.repeat(25)}`, n, { endSeconds: n + 1 }),
  )

  const text = markdown(transcriptOf([], { segments }), { title: 'x' })

  expect(text.match(/\*\*\[/g)?.length).toBe(3)
})

test('what was said stays text: no markup, no HTML, no lines of its own', () => {
  const text = markdown(transcriptOf([' # <b>x</b>\n- *og* [a](b) `c` a_b']), { title: '<script>_\n# x' })

  expect(text).toContain('\n**[0:00]** \\# \\<b\\>x\\</b\\> - \\*og\\* \\[a\\](b) \\`c\\` a\\_b\n')
  expect(text.split('\n')[0]).toBe('# \\<script\\>\\_ \\# x')
})

test('a translation says so, and a recording in which nobody speaks too', () => {
  expect(markdown(transcriptOf([' Hi'], { task: 'translate' }), { title: 'x' })).toContain(
    '- Translated into English\n',
  )
  const silent = markdown(silentTranscript(), { title: 'x' })
  expect(silent).toContain('*Nobody speaks in this recording.*')
  expect(silent).not.toContain('Language')
})

const MADE = {
  text: 'Det regner.\n\n# Toget kører.',
  title: 'Om *vejret*',
  summary: '- Det **regner**.\n# Stort\n<img src=x> ![a](https://x) `kode`',
  model: 'small',
  steps: [
    { step: 'paragraphs', state: 'done', pieces: 1, refusedPieces: 0 },
    { step: 'summary', state: 'done' },
    { step: 'correct_names', state: 'failed', message: 'no' },
  ],
} as const

test('what a language model has made comes first and says so, and what was heard stays below it', () => {
  const transcript = transcriptOf([' Det regner. # Toget kører.'])

  expect(markdown(transcript, { title: 'møde.wav', afterwards: MADE })).toBe(`# Om \\*vejret\\*

- Recording: møde.wav
- Length: 0:02
- Language: danish
- Written by a language model (small): paragraphs, summary

## Summary

- Det **regner**.
### Stort
\\<img src=x> !\\[a\\](https://x) \\\`kode\\\`

## Text

Det regner.

\\# Toget kører.

## As it was heard

**[0:00]** Det regner. \\# Toget kører.
`)
})

test('steps that changed nothing leave the Markdown as it is', () => {
  const transcript = transcriptOf([' Det regner.'])
  const steps = [{ step: 'summary', state: 'failed', message: 'no' }] as const
  const afterwards = { text: transcript.text, model: 'small', steps }

  expect(markdown(transcript, { title: 'x', afterwards })).toBe(markdown(transcript, { title: 'x' }))
})

test.each(['- a', '+ a', '= a', '1. a', '12) a', '#a'])(
  'a paragraph that begins with “%s” is a paragraph',
  (text) => {
    const transcript = transcriptOf([' a'])
    const afterwards = { text, steps: [] }

    expect(markdown(transcript, { title: 'x', afterwards })).toMatch(/\n## Text\n\n(\\[-+=#]|\d+\\[.)]) ?a\n/)
  },
)
