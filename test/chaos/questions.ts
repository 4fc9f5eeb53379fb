/** What good clients ask, and how each answer is read down to its text. What the right text is, is found out elsewhere. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readByPlayers, readByW3c } from '../formats/subtitle-parsers.ts'
import { AUDIO, repeated } from '../end-to-end/server.ts'

type Reading = 'json' | 'text' | 'srt' | 'vtt' | 'stream' | 'language'

export interface Question {
  readonly name: string
  readonly path: string
  readonly recording: string
  readonly fields: Readonly<Record<string, string>>
  readonly reading: Reading
}

const TRANSCRIPTIONS = '/v1/audio/transcriptions'
const FORMATS = ['json', 'text', 'srt', 'vtt', 'verbose_json'] as const
const WORDS = { response_format: 'verbose_json', 'timestamp_granularities[]': 'word' }
const CONTAINERS = ['da.mp3', 'da.flac', 'da.m4a', 'da.mp4', 'da.ogg', 'da.webm']

function ask(path: string, recording: string, fields: Question['fields'], reading: Reading): Question {
  const options = Object.entries(fields).map(([name, value]) => `${name}=${value}`)
  return { name: [path, recording, ...options].join(' '), path, recording, fields, reading }
}

const readingOf = (format: (typeof FORMATS)[number]): Reading => (format === 'verbose_json' ? 'json' : format)
const inFormats = (path: string, recording: string) =>
  FORMATS.map((format) => ask(path, recording, { response_format: format }, readingOf(format)))

const QUESTIONS: readonly Question[] = [
  ...inFormats(TRANSCRIPTIONS, 'da.wav'),
  ...inFormats(TRANSCRIPTIONS, 'long.wav'),
  ...inFormats('/v1/audio/translations', 'da.wav'),
  ...CONTAINERS.map((recording) => ask(TRANSCRIPTIONS, recording, {}, 'json')),
  ask(TRANSCRIPTIONS, 'long.wav', WORDS, 'json'),
  ask(TRANSCRIPTIONS, 'en.wav', { language: 'auto' }, 'json'),
  ask(TRANSCRIPTIONS, 'de.wav', { language: 'de' }, 'json'),
  ask(TRANSCRIPTIONS, 'silence.wav', {}, 'json'),
  ask(TRANSCRIPTIONS, 'longer.wav', { response_format: 'srt' }, 'srt'),
  ask(TRANSCRIPTIONS, 'longer.wav', { transcription_tier: 'deferred' }, 'json'),
  ask(TRANSCRIPTIONS, 'da.wav', { stream: 'true' }, 'stream'),
  ask(TRANSCRIPTIONS, 'en.wav', { stream: 'true', language: 'en' }, 'stream'),
  ask(TRANSCRIPTIONS, 'long.wav', { stream: 'true' }, 'stream'),
  ask(TRANSCRIPTIONS, 'longer.wav', { stream: 'true', 'include[]': 'logprobs' }, 'stream'),
  ask('/transcribe', 'da.wav', {}, 'json'),
  ask('/transcribe', 'long.wav', { include_timestamps: 'false' }, 'json'),
  ask('/detect-language', 'da.wav', {}, 'language'),
  ask('/detect-language', 'de.wav', {}, 'language'),
]

/** The short suite asks every third, and nothing long: everybody waits for it. */
export function questions(isBrief: boolean): readonly Question[] {
  if (!isBrief) return QUESTIONS
  return QUESTIONS.filter(({ recording }, index) => recording !== 'longer.wav' && index % 3 === 0)
}

export async function readRecordings(): Promise<ReadonlyMap<string, Buffer>> {
  const names = [...new Set(QUESTIONS.map(({ recording }) => recording))].filter(
    (name) => name !== 'longer.wav',
  )
  const files = names.map(async (name) => [name, await readFile(join(AUDIO, name))] as const)
  const longer = Buffer.from(await (await repeated('long.wav', 3)).arrayBuffer())
  return new Map([...(await Promise.all(files)), ['longer.wav', longer]])
}

/** What a stream said instead of its end. */
export class ToldFailure extends Error {
  readonly envelope: unknown

  constructor(envelope: unknown) {
    super('the stream told of a failure')
    this.envelope = envelope
  }
}

/** @throws Error saying in what way it is no answer; ToldFailure. */
export async function readText(reading: Reading, body: Buffer): Promise<string> {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  switch (reading) {
    case 'json':
      return textIn(JSON.parse(text.trim()))
    case 'language':
      return languageIn(JSON.parse(text))
    case 'text':
      return text.trim()
    case 'srt':
    case 'vtt':
      return cuesIn(text, reading)
    case 'stream':
      return told(text)
    default:
      return reading satisfies never
  }
}

/** The text, which has to be what the segments say, where there are any. */
function textIn(answer: { text?: unknown; segments?: { text: string }[] }): string {
  const { text, segments } = answer
  if (typeof text !== 'string') throw new Error('an answer without a text')
  const joined = segments?.map((segment) => segment.text.trim()).join(' ')
  if (joined !== undefined && flat(joined) !== flat(text)) throw new Error('the segments are not the text')
  return text
}

function languageIn(answer: { language_code?: unknown; language?: unknown }): string {
  const language = answer.language_code ?? answer.language
  if (typeof language !== 'string') throw new Error('an answer without a language')
  return language
}

async function cuesIn(text: string, type: 'srt' | 'vtt'): Promise<string> {
  const { cues, errors } = await readByPlayers(text, type)
  const wrong = type === 'vtt' ? [...errors, ...readByW3c(text).errors] : errors
  if (wrong.length > 0) throw new Error(`subtitles that cannot be read: ${JSON.stringify(wrong[0])}`)
  return flat(cues.map((cue) => cue.text).join(' '))
}

/** The deltas joined, which have to be the text at the end. */
function told(text: string): string {
  const events = text.split('\n').filter((line) => line.startsWith('data: {'))
  let deltas = ''
  for (const event of events) {
    const said = JSON.parse(event.slice('data: '.length))
    if (said.error !== undefined) throw new ToldFailure(said)
    if (said.type === 'transcript.text.delta') deltas += said.delta
    if (said.type !== 'transcript.text.done') continue
    if (deltas !== said.text) throw new Error('the deltas are not the text')
    return said.text
  }
  throw new Error('a stream that ended without its end')
}

function flat(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
