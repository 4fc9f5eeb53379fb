/** `POST /transcribe`: the same road for people and small scripts, with an answer that is pleasant to read. */
import type { RouteConfig } from '@hono/zod-openapi'
import { Hono } from 'hono'
import { readableJson } from '../formats/readable-json.ts'
import { collect } from '../transcript.ts'
import { formBody, jsonContent, UPLOAD_FAILURES } from './document-parts.ts'
import { parseForm } from './form.ts'
import { chosenLanguage } from './language.ts'
import type { HttpEnv, Parts } from './parts.ts'
import { TranscribeResponse } from './response-schemas.ts'
import { TranscribeFields, TranscribeRequest } from './schemas.ts'
import { receiveUpload } from './upload-route.ts'

export function transcribeRoutes(parts: Parts): Hono<HttpEnv> {
  return new Hono<HttpEnv>().post('/transcribe', async (c) => {
    const { signal } = c.req.raw
    await using upload = await receiveUpload(c, parts)
    const form = parseForm(TranscribeFields, upload.fields)
    const language = chosenLanguage(form.language, parts.config.defaultLanguage)
    const hasTimestamps = form.include_timestamps
    const events = parts.transcriber.transcribe(
      { path: upload.file.path },
      {
        task: 'transcribe',
        ...(language !== undefined && { language }),
        temperature: 0,
        wantsWords: hasTimestamps,
        wantsDeltas: false,
        wantsGuards: form.guards ?? parts.config.hasGuards,
      },
      signal,
    )
    return c.json({
      ...readableJson(await collect(events), { hasTimestamps }),
      ...(upload.file.name !== undefined && { filename: upload.file.name }),
      timestamp: new Date().toISOString(),
    })
  })
}

export const TRANSCRIBE_PATHS: readonly RouteConfig[] = [
  {
    method: 'post',
    path: '/transcribe',
    summary: 'Transcribe a recording',
    tags: ['Speech'],
    request: formBody(TranscribeRequest),
    responses: {
      200: { description: 'The transcript', content: jsonContent(TranscribeResponse) },
      ...UPLOAD_FAILURES,
    },
  },
]
