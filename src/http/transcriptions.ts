/** `POST /v1/audio/transcriptions`, OpenAI's. HTTP in, HTTP out; what happens between belongs to the parts it is given. */
import type { RouteConfig } from '@hono/zod-openapi'
import { Hono } from 'hono'
import { CONTENT_TYPES, render } from '../formats/render.ts'
import type { TranscribeOptions } from '../transcriber.ts'
import { collect } from '../transcript.ts'
import type { Fields } from '../upload/receive.ts'
import { failures, formBody, jsonContent, UPLOAD_FAILURES } from './document-parts.ts'
import { parseForm } from './form.ts'
import { chosenLanguage } from './language.ts'
import { requireModel } from './model-names.ts'
import type { HttpEnv, Parts } from './parts.ts'
import { TranscriptionJson, TranscriptionVerboseJson } from './response-schemas.ts'
import { TranscriptionFields, TranscriptionRequest } from './schemas.ts'
import { receiveUpload } from './upload-route.ts'

export function transcriptionRoutes(parts: Parts): Hono<HttpEnv> {
  return new Hono<HttpEnv>().post('/v1/audio/transcriptions', async (c) => {
    const { signal } = c.req.raw
    await using upload = await receiveUpload(c, parts) // deletes its file on the way out, thrown or not
    const { format, options, hasWords } = readFields(upload.fields, parts)
    const isForVexa = isVexaShaped(upload.fields, c.req.header('x-transcription-tier'))
    const transcript = await collect(
      parts.transcriber.transcribe({ path: upload.file.path }, options, signal),
    )
    const { body, contentType } = render(transcript, format, { hasWords, isForVexa })
    return c.body(body, 200, { 'content-type': contentType })
  })
}

function readFields(fields: Fields, parts: Parts) {
  const form = parseForm(TranscriptionFields, fields)
  if (form.model !== undefined) requireModel(form.model, parts.config)
  const language = chosenLanguage(form.language, parts.config.defaultLanguage)
  const options: TranscribeOptions = {
    task: 'transcribe',
    ...(language !== undefined && { language }),
    ...(form.prompt !== undefined && { prompt: form.prompt }),
    temperature: form.temperature,
    // Words make good subtitles and exact segment times; json and text need neither and are spared the alignment.
    wantsWords: form.response_format !== 'json' && form.response_format !== 'text',
    wantsDeltas: false,
    wantsGuards: form.guards ?? parts.config.hasGuards,
  }
  return { format: form.response_format, options, hasWords: form.timestamp_granularities.includes('word') }
}

/** Vexa's clients show themselves by what no SDK of OpenAI's sends: the bare field name, and their own knobs. */
function isVexaShaped(fields: Fields, tierHeader: string | undefined): boolean {
  const theirs = ['timestamp_granularities', 'transcription_tier', 'max_speech_duration_s']
  return tierHeader !== undefined || theirs.some((name) => fields.has(name))
}

const text = { schema: { type: 'string' } } as const

export const TRANSCRIPTION_PATHS: readonly RouteConfig[] = [
  {
    method: 'post',
    path: '/v1/audio/transcriptions',
    summary: 'Transcribe a recording, as OpenAI does',
    description: 'Fields may come before or after the file. Fields that are not listed are ignored.',
    tags: ['OpenAI'],
    request: formBody(TranscriptionRequest),
    responses: {
      200: {
        description: 'The transcript in the `response_format` asked for',
        content: {
          ...jsonContent(TranscriptionJson.or(TranscriptionVerboseJson)),
          [CONTENT_TYPES.text]: text,
          [CONTENT_TYPES.srt]: text,
          [CONTENT_TYPES.vtt]: text,
        },
      },
      ...UPLOAD_FAILURES,
      ...failures(404),
    },
  },
]
