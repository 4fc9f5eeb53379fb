/** Our subtitles as players read them: two parsers that others wrote find the words and times that verbose_json tells. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as captions from 'media-captions'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { WebVTTParser } from 'webvtt-parser'
import { AUDIO, plainWords, type RunningServer, startServer, truthOf } from '../end-to-end/server.ts'
import { post } from './multipart.ts'
import { startWitness, type Witness } from './witness.ts'

let server: RunningServer
let witness: Witness
beforeAll(async () => {
  server = await startServer()
  witness = await startWitness(server.url)
})
afterEach(() => {
  assert.deepEqual(witness.faults, [])
})
afterAll(async () => {
  await witness[Symbol.asyncDispose]()
  await server.stop()
})

async function transcript(recording: string, format: string, language: string): Promise<string> {
  const { status, body } = await post(`${witness.url}/v1/audio/transcriptions`, [
    { name: 'response_format', value: format },
    { name: 'timestamp_granularities[]', value: 'word' },
    { name: 'language', value: language },
    { name: 'file', filename: recording, value: await readFile(join(AUDIO, recording)) },
  ])
  expect(status).toBe(200)
  return body
}

interface Cue {
  readonly startTime: number
  readonly endTime: number
  readonly text: string
}

// Its types are written for bundlers; Node's way of resolving finds nothing in them.
const { parseText } = captions as unknown as {
  readonly parseText: (
    text: string,
    options: { type: string; errors: boolean },
  ) => Promise<{ cues: readonly Cue[]; errors: readonly Error[] }>
}

/** With errors collected instead of passed over, as players do. */
async function cuesOf(text: string, type: 'srt' | 'vtt'): Promise<readonly Cue[]> {
  const { cues, errors } = await parseText(text, { type, errors: true })
  expect(errors).toEqual([])
  return cues.map(({ startTime, endTime, text: words }) => ({ startTime, endTime, text: words }))
}

const TIMES = {
  srt: /^\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}$/,
  vtt: /^\d\d:\d\d:\d\d\.\d{3} --> \d\d:\d\d:\d\d\.\d{3}$/,
}

describe.each([
  ['da.wav', 'da'],
  ['de.wav', 'de'],
  ['long.wav', 'da'],
])('of %s', (recording, language) => {
  test.each(['srt', 'vtt'] as const)('%s holds all words in cues that follow one another', async (format) => {
    const text = await transcript(recording, format, language)
    const cues = await cuesOf(text, format)
    const { words } = JSON.parse(await transcript(recording, 'verbose_json', language)) as {
      words: { word: string; start: number; end: number }[]
    }

    expect(plainWords(cues.map(({ text: lines }) => lines).join('\n'))).toEqual(
      words.flatMap(({ word }) => plainWords(word)),
    )
    // Each cue begins and ends with the words in it, give or take the moment that it stays to be read.
    let next = 0
    for (const { startTime, endTime, text: lines } of cues) {
      const inCue = words.slice(next, (next += lines.split(/\s+/).length))
      expect(startTime).toBeCloseTo(inCue[0]?.start ?? Number.NaN, 3)
      expect(endTime).toBeGreaterThanOrEqual((inCue.at(-1)?.end ?? Number.NaN) - 0.001)
      expect(endTime).toBeLessThanOrEqual((words[next]?.start ?? Number.POSITIVE_INFINITY) + 0.001)
    }
    const timeLines = text.split('\n').filter((line) => line.includes('-->'))
    expect(timeLines).toHaveLength(cues.length)
    for (const line of timeLines) expect(line).toMatch(TIMES[format]) // hours always: LiteLLM reads no others
  })

  test('W3C’s validator finds nothing wrong with the vtt, and the same cues', async () => {
    const text = await transcript(recording, 'vtt', language)
    const { cues, errors } = new WebVTTParser().parse(text, 'metadata')

    expect(errors).toEqual([])
    expect(cues.map(({ startTime, endTime, text: lines }) => ({ startTime, endTime, text: lines }))).toEqual(
      await cuesOf(text, 'vtt'),
    )
  })
})

test('Danish letters are in both as they are spoken', async () => {
  const letters = (await truthOf('da')).text.match(/[æøå]/gi)
  expect(letters).not.toBeNull()

  for (const format of ['srt', 'vtt'] as const) {
    const cues = await cuesOf(await transcript('da.wav', format, 'da'), format)
    expect(
      cues
        .map(({ text }) => text)
        .join(' ')
        .match(/[æøå]/gi),
    ).toEqual(letters)
  }
})

test('where nobody speaks there are no cues, and still a file that players open', async () => {
  expect(await cuesOf(await transcript('silence.wav', 'srt', 'da'), 'srt')).toEqual([])
  const { cues, errors } = new WebVTTParser().parse(await transcript('silence.wav', 'vtt', 'da'))
  expect({ cues, errors }).toEqual({ cues: [], errors: [] })
})
