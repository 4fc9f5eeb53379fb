/** `POST /v1/audio/transcriptions`, OpenAI's. HTTP in, HTTP out; what happens between belongs to the parts it is given. */
import type { RouteConfig } from '@hono/zod-openapi'
import { Hono } from 'hono'
import type { Fields } from '../upload/receive.ts'
import { answer, type Wish } from './answer.ts'
import { joinableUpload } from './document-parts.ts'
import { parseForm } from './form.ts'
import { answerLater, asyncPreference } from './jobs/respond-async.ts'
import type { HttpEnv, Parts } from './parts.ts'
import { TranscriptionRequest } from './request-schemas.ts'
import { TranscriptionJson, TranscriptionVerboseJson } from './response-schemas.ts'
import { TranscriptionFields } from './schemas.ts'
import { speechResponses } from './speech-document.ts'
import { receiveUpload } from './upload-route.ts'
import { isVexaShaped } from './vexa.ts'
import { wishOf } from './wish.ts'

export function transcriptionRoutes(parts: Parts): Hono<HttpEnv> {
  return new Hono<HttpEnv>().post('/v1/audio/transcriptions', async (c) => {
    const wishOfFields = (fields: Fields) => readWish(fields, parts, c.req.header('x-transcription-tier'))
    const preference = asyncPreference(c)
    if (preference) return answerLater(c, parts, preference, wishOfFields)
    await using undo = new AsyncDisposableStack()
    const upload = undo.use(await receiveUpload(c, parts))
    const wish = wishOfFields(upload.fields)
    undo.move() // from here on the upload is the answer's
    return answer(c, parts, upload, wish)
  })
}

function readWish(fields: Fields, parts: Parts, tierHeader: string | undefined): Wish {
  const form = parseForm(TranscriptionFields, fields)
  return wishOf(form, parts, {
    task: form.task,
    hasWords: form.timestamp_granularities.includes('word'),
    isForVexa: isVexaShaped(fields, tierHeader),
  })
}

export const TRANSCRIPTION_PATHS: readonly RouteConfig[] = [
  {
    method: 'post',
    path: '/v1/audio/transcriptions',
    summary: 'Transcribe a recording, as OpenAI does',
    description:
      "Fields may come before or after the file. Fields that are not listed are ignored. Lists are also understood under their bare names. A request in Vexa's manner (a bare `timestamp_granularities`, `max_speech_duration_s`, `min_silence_duration_ms`, `transcription_tier` or the header `X-Transcription-Tier`) is answered with a code as `language`, with words in every segment, and with `audio_start` and `audio_end`.",
    tags: ['OpenAI'],
    request: joinableUpload(TranscriptionRequest),
    responses: speechResponses(TranscriptionJson.or(TranscriptionVerboseJson)),
  },
]
