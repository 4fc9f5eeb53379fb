/** `POST /transcribe`: the same road for people and small scripts, with an answer that is pleasant to read. */
import type { RouteConfig } from '@hono/zod-openapi'
import { Hono } from 'hono'
import { readableJson } from '../formats/readable-json.ts'
import type { TranscribeOptions } from '../transcriber.ts'
import type { Transcript } from '../transcript.ts'
import { answerAsJson } from './answer.ts'
import { JOINABLE_ANSWER_HEADERS, joinableUpload, jsonContent, UPLOAD_FAILURES } from './document-parts.ts'
import { parseForm } from './form.ts'
import { chosenLanguage } from './language.ts'
import type { HttpEnv, Parts } from './parts.ts'
import { TranscribeRequest } from './request-schemas.ts'
import { TranscribeResponse } from './response-schemas.ts'
import { TranscribeFields } from './schemas.ts'
import { receiveUpload } from './upload-route.ts'

export function transcribeRoutes(parts: Parts): Hono<HttpEnv> {
  return new Hono<HttpEnv>().post('/transcribe', async (c) => {
    await using undo = new AsyncDisposableStack()
    const upload = undo.use(await receiveUpload(c, parts))
    const form = parseForm(TranscribeFields, upload.fields)
    const hasTimestamps = form.include_timestamps
    const options: TranscribeOptions = {
      task: 'transcribe',
      ...chosenLanguage(form, parts.config.defaultLanguage),
      temperature: 0,
      wantsWords: hasTimestamps,
      wantsLogprobs: false,
      wantsDeltas: false,
      wantsGuards: form.guards ?? parts.config.hasGuards,
    }
    const toJson = (transcript: Transcript) => ({
      ...readableJson(transcript, { hasTimestamps }),
      ...(upload.file.name !== undefined && { filename: upload.file.name }),
      timestamp: new Date().toISOString(),
    })
    undo.move() // from here on the upload is the answer's
    return answerAsJson(c, parts, upload, { options, toJson })
  })
}

export const TRANSCRIBE_PATHS: readonly RouteConfig[] = [
  {
    method: 'post',
    path: '/transcribe',
    summary: 'Transcribe a recording',
    tags: ['Speech'],
    request: joinableUpload(TranscribeRequest),
    responses: {
      200: {
        description: 'The transcript',
        headers: JOINABLE_ANSWER_HEADERS,
        content: jsonContent(TranscribeResponse),
      },
      ...UPLOAD_FAILURES,
    },
  },
]
