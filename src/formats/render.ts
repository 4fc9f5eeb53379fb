/** A transcript becomes the bytes that were asked for. Pure: it does not know where the transcript came from. */
import type { Transcript } from '../transcript.ts'
import type { Afterwards } from '../afterwards/afterwards.ts'
import { besides } from './afterwards-json.ts'
import { cuesOf } from './cues.ts'
import { type PlainOptions, plainJson } from './plain-json.ts'
import { srt, vtt } from './subtitles.ts'
import { type VerboseOptions, verboseJson } from './verbose-json.ts'

export const RESPONSE_FORMATS = ['json', 'text', 'srt', 'verbose_json', 'vtt'] as const
export type ResponseFormat = (typeof RESPONSE_FORMATS)[number]

/** The types of the formats that are not JSON. OpenAI's SDKs parse what calls itself JSON and hand on everything else as a string. */
export const CONTENT_TYPES = {
  json: 'application/json',
  text: 'text/plain; charset=utf-8',
  srt: 'application/x-subrip; charset=utf-8',
  verbose_json: 'application/json',
  vtt: 'text/vtt; charset=utf-8',
} as const satisfies Record<ResponseFormat, string>

export interface Rendered {
  readonly body: string
  readonly contentType: string
}

/** What a format may leave out or add, as the request wants it. */
export type RenderOptions = PlainOptions & VerboseOptions & { readonly afterwards?: Afterwards | undefined }

export function render(transcript: Transcript, format: ResponseFormat, options: RenderOptions): Rendered {
  return { body: bodyOf(transcript, format, options), contentType: CONTENT_TYPES[format] }
}

function bodyOf(transcript: Transcript, format: ResponseFormat, options: RenderOptions): string {
  switch (format) {
    case 'json':
      return JSON.stringify({ ...plainJson(transcript, options), ...besides(options.afterwards) })
    case 'text':
      return `${transcript.text}\n`
    case 'srt':
      return srt(cuesOf(transcript.segments))
    case 'vtt':
      return vtt(cuesOf(transcript.segments))
    case 'verbose_json':
      return JSON.stringify({ ...verboseJson(transcript, options), ...besides(options.afterwards) })
    default:
      return format satisfies never
  }
}
