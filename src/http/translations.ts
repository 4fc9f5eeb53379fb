/** `POST /v1/audio/translations`, OpenAI's: whatever is spoken becomes English text. The model does it, not we. */
import type { RouteConfig } from '@hono/zod-openapi'
import { Hono } from 'hono'
import type { Fields } from '../upload/receive.ts'
import { answer, type Wish } from './answer.ts'
import { joinableUpload } from './document-parts.ts'
import { parseForm } from './form.ts'
import { answerLater, asyncPreference } from './jobs/respond-async.ts'
import type { HttpEnv, Parts } from './parts.ts'
import { TranslationRequest } from './request-schemas.ts'
import { TranslationJson, TranslationVerboseJson } from './response-schemas.ts'
import { TranslationFields } from './schemas.ts'
import { speechResponses } from './speech-document.ts'
import { receiveUpload } from './upload-route.ts'
import { wishOf } from './wish.ts'

export function translationRoutes(parts: Parts): Hono<HttpEnv> {
  return new Hono<HttpEnv>().post('/v1/audio/translations', async (c) => {
    const preference = asyncPreference(c)
    if (preference) return answerLater(c, parts, preference, (fields) => readWish(fields, parts))
    await using undo = new AsyncDisposableStack()
    const upload = undo.use(await receiveUpload(c, parts))
    const wish = readWish(upload.fields, parts)
    undo.move() // from here on the upload is the answer's
    return answer(c, parts, upload, wish)
  })
}

function readWish(fields: Fields, parts: Parts): Wish {
  const form = parseForm(TranslationFields, fields)
  return wishOf(form, parts, { task: 'translate', hasWords: false, isForVexa: false })
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
