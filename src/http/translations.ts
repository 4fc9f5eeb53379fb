/** `POST /v1/audio/translations`, OpenAI's: whatever is spoken becomes English text. The model does it, not we. */
import type { RouteConfig } from '@hono/zod-openapi'
import { Hono } from 'hono'
import { answer } from './answer.ts'
import { joinableUpload } from './document-parts.ts'
import { parseForm } from './form.ts'
import { answerLater, asyncPreference, receiveFor } from './jobs/respond-async.ts'
import type { HttpEnv, Parts } from './parts.ts'
import { TranslationRequest } from './request-schemas.ts'
import { TranslationJson, TranslationVerboseJson } from './response-schemas.ts'
import { TranslationFields } from './schemas.ts'
import { speechResponses } from './speech-document.ts'
import { wishOf } from './wish.ts'

export function translationRoutes(parts: Parts): Hono<HttpEnv> {
  return new Hono<HttpEnv>().post('/v1/audio/translations', async (c) => {
    await using undo = new AsyncDisposableStack()
    const preference = asyncPreference(c)
    const upload = undo.use(await receiveFor(c, parts, preference))
    const form = parseForm(TranslationFields, upload.fields)
    const wish = wishOf(form, parts, { task: 'translate', hasWords: false, isForVexa: false })
    if (preference && !wish.isStreamed) return answerLater(c, parts, upload, wish, preference)
    undo.move() // from here on the upload is the answer's
    return answer(c, parts, upload, wish)
  })
}

export const TRANSLATION_PATHS: readonly RouteConfig[] = [
  {
    method: 'post',
    path: '/v1/audio/translations',
    summary: 'Translate a recording into English, as OpenAI does',
    description:
      "Whisper's own translation; how good it is depends on the model, and a fine-tune may have forgotten it. `language` is what is spoken, `prompt` is English. There are no word times: a translation's words were not spoken. Fields that are not listed are ignored.",
    tags: ['OpenAI'],
    request: joinableUpload(TranslationRequest),
    responses: speechResponses(TranslationJson.or(TranslationVerboseJson)),
  },
]
