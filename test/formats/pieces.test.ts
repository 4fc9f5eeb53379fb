import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { DELAYS, renderInPieces } from '../../src/formats/pieces.ts'
import { RESPONSE_FORMATS, type ResponseFormat, render } from '../../src/formats/render.ts'
import type { Transcript, TranscriptEvent } from '../../src/transcript.ts'
import { FFMPEG } from '../audio/recordings.ts'
import { readByPlayers, readByW3c } from './subtitle-parsers.ts'
import { silentTranscript, transcriptOf } from './transcripts.ts'

const OPTIONS = { hasWords: true, isForVexa: false, hasLogprobs: false, listsLanguages: false }
const TRANSCRIPT = transcriptOf([' Toget kører', ' klokken otte. ', '  ', ' Fra spor to.'])

async function* eventsOf(transcript: Transcript): AsyncGenerator<TranscriptEvent> {
  for (const segment of transcript.segments) yield { kind: 'segments', segments: [segment] }
  yield { kind: 'progress', processedSeconds: 1, durationSeconds: 2 }
  yield { kind: 'done', transcript }
}

const piecesOf = (transcript: Transcript, format: ResponseFormat) =>
  Array.fromAsync(renderInPieces(eventsOf(transcript), format, OPTIONS))

/** As it would come when every wait was long. */
async function withFillers(transcript: Transcript, format: ResponseFormat): Promise<string> {
  const { beginning, filler = '' } = DELAYS[format]
  return beginning + (await piecesOf(transcript, format)).map((piece) => filler.repeat(5) + piece).join('')
}

test.each(RESPONSE_FORMATS)('the beginning and the pieces of %s, joined, are the whole', async (format) => {
  for (const transcript of [TRANSCRIPT, silentTranscript()]) {
    const pieces = await piecesOf(transcript, format)

    expect(DELAYS[format].beginning + pieces.join('')).toBe(render(transcript, format, OPTIONS).body)
    expect(pieces).not.toContain('')
  }
})

test('text comes as its windows become final, its last line end at the end', async () => {
  expect(await piecesOf(TRANSCRIPT, 'text')).toEqual([
    'Toget kører',
    ' klokken otte.',
    '    Fra spor to.',
    '\n',
  ])
})

test('text that is not how it began is a bug, not an answer', async () => {
  const events = eventsOf({ ...TRANSCRIPT, text: 'Bussen kører.' })

  await expect(Array.fromAsync(renderInPieces(events, 'text', OPTIONS))).rejects.toThrow('not the beginning')
})

test('text without an end is a bug, not an answer', async () => {
  const events = async function* (): AsyncGenerator<TranscriptEvent> {
    yield { kind: 'segments', segments: TRANSCRIPT.segments }
  }

  await expect(Array.fromAsync(renderInPieces(events(), 'text', OPTIONS))).rejects.toThrow('without `done`')
})

test.each(['json', 'verbose_json'] as const)('%s after spaces is the same JSON', async (format) => {
  const { body } = render(TRANSCRIPT, format, OPTIONS)

  expect(JSON.parse(await withFillers(TRANSCRIPT, format))).toEqual(JSON.parse(body))
})

test.each([['speech', TRANSCRIPT] as const, ['silence', silentTranscript()] as const])(
  'WebVTT of %s with line ends in its silences is the same to the W3C’s parser and to players',
  async (_what, transcript) => {
    const early = await withFillers(transcript, 'vtt')
    const { body } = render(transcript, 'vtt', OPTIONS)

    expect(early).toMatch(/^WEBVTT\n{6}/)
    expect(readByW3c(early)).toEqual({ cues: readByW3c(body).cues, errors: [] })
    expect(await readByPlayers(early, 'vtt')).toEqual(await readByPlayers(body, 'vtt'))
  },
)

test('SubRip after empty lines is the same to players', async () => {
  const early = await withFillers(TRANSCRIPT, 'srt')
  const { body } = render(TRANSCRIPT, 'srt', OPTIONS)

  const read = await readByPlayers(early, 'srt')

  expect(early).toMatch(/^\n{10}1\n/)
  expect(read).toEqual({ ...(await readByPlayers(body, 'srt')), errors: [] })
  expect(read.cues.length).toBeGreaterThan(0)
})

test('SubRip after empty lines is the same to ffmpeg', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-srt-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const readByFfmpeg = async (name: string, text: string) => {
    const path = join(directory, name)
    await writeFile(path, text)
    return (await execa(FFMPEG.path, ['-loglevel', 'error', '-i', path, '-f', 'srt', '-'])).stdout
  }

  const early = await readByFfmpeg('early.srt', await withFillers(TRANSCRIPT, 'srt'))

  expect(early).toContain('Toget kører')
  expect(early).toBe(await readByFfmpeg('whole.srt', render(TRANSCRIPT, 'srt', OPTIONS).body))
})
