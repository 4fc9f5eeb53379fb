/** `POST /detect-language`: which language is spoken, and how probable every language is. */
import type { RouteConfig } from '@hono/zod-openapi'
import { Hono } from 'hono'
import { detectedJson } from '../formats/detected-json.ts'
import { jsonContent, UPLOAD_ANSWER_HEADERS, UPLOAD_FAILURES, uploadBody } from './document-parts.ts'
import { hangUp } from './hang-up.ts'
import type { HttpEnv, Parts } from './parts.ts'
import { DetectLanguageRequest } from './request-schemas.ts'
import { DetectLanguageResponse } from './response-schemas.ts'
import { plainSource } from './upload-identity.ts'
import { receiveUpload } from './upload-route.ts'

export function detectLanguageRoutes(parts: Parts): Hono<HttpEnv> {
  return new Hono<HttpEnv>().post('/detect-language', async (c) => {
    const { signal } = hangUp(c)
    await using upload = await receiveUpload(c, parts)
    const speech = c.get('speech')
    speech.task = 'detect_language'
    const detected = await parts.transcriber.detectLanguage(plainSource(c, upload.file.path), signal)
    if (detected.durationSeconds !== undefined) speech.audioSeconds = detected.durationSeconds
    return c.json(detectedJson(detected))
  })
}

export const DETECT_LANGUAGE_PATHS: readonly RouteConfig[] = [
  {
    method: 'post',
    path: '/detect-language',
    summary: 'Detect the language of a recording',
    tags: ['Speech'],
    request: uploadBody(DetectLanguageRequest),
    responses: {
      200: {
        description: 'All languages, most probable first',
        headers: UPLOAD_ANSWER_HEADERS,
        content: jsonContent(DetectLanguageResponse),
      },
      ...UPLOAD_FAILURES,
    },
  },
]
