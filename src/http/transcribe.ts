/**
 * `POST /transcribe`: the same road for people and small scripts, with an answer that is pleasant to read. With a `url` or
 * an `s3_path` the same path takes a task instead, as in the dialect of tasks.ts.
 */
import type { RouteConfig } from '@hono/zod-openapi'
import { Hono } from 'hono'
import { readableJson } from '../formats/readable-json.ts'
import { CONTENT_TYPES } from '../formats/render.ts'
import type { Job } from '../jobs/job.ts'
import type { Transcript } from '../transcript.ts'
import { type Fields, withFile } from '../upload/receive.ts'
import { answerAsJson } from './answer.ts'
import { JOINABLE_ANSWER_HEADERS, joinableUpload, jsonContent, UPLOAD_FAILURES } from './document-parts.ts'
import { isFilled, parseForm } from './form.ts'
import { handInTask } from './jobs/async-transcribe.ts'
import { JobOrTask, laterAs } from './jobs/job-schemas.ts'
import { answerAsync, asyncPreference } from './jobs/respond-async.ts'
import { taskAccepted } from './jobs/tasks.ts'
import type { HttpEnv, Parts } from './parts.ts'
import { readableWish } from './readable-wish.ts'
import { withRecordingElsewhere } from './recording-elsewhere.ts'
import { TranscribeRequest } from './request-schemas.ts'
import { TranscribeResponse } from './response-schemas.ts'
import { TranscribeFields } from './schemas.ts'
import { receiveLooseUpload, receiveOrder } from './upload-route.ts'

/** Nobody waits on a connection for what has to be fetched first, or is to be stored elsewhere. */
const OF_TASKS = ['url', 's3_path']

export function transcribeRoutes(parts: Parts): Hono<HttpEnv> {
  return new Hono<HttpEnv>().post('/transcribe', async (c) => {
    await using undo = new AsyncDisposableStack()
    const preference = asyncPreference(c)
    const loose = undo.use(await (preference ? receiveOrder(c, parts) : receiveLooseUpload(c, parts)))
    if (isTask(loose.fields)) return taskAccepted(c, (await handInTask(c, parts, loose)).job)
    const form = parseForm(TranscribeFields, loose.fields)
    const wish = readableWish(form, parts)
    const toJson = (transcript: Transcript, filename: string | undefined) => ({
      ...readableJson(transcript, { hasTimestamps: form.include_timestamps }),
      ...(filename !== undefined && { filename }),
      timestamp: new Date().toISOString(),
    })
    if (preference) {
      const tell = (transcript: Transcript, { order }: Job) => ({
        body: JSON.stringify(toJson(transcript, order.fileName)),
        contentType: CONTENT_TYPES.json,
      })
      return await answerAsync(c, parts, loose, { wish, preference, tell })
    }
    const upload = undo.use(await withFile(await withRecordingElsewhere(c, parts, loose)))
    undo.move() // from here on the upload is the answer's
    return answerAsJson(c, parts, upload, {
      options: wish.options,
      toJson: (transcript) => toJson(transcript, upload.file.name),
    })
  })
}

function isTask(fields: Fields): boolean {
  return OF_TASKS.some((name) => (fields.get(name) ?? []).some(isFilled))
}

export const TRANSCRIBE_PATHS: readonly RouteConfig[] = [
  {
    method: 'post',
    path: '/transcribe',
    summary: 'Transcribe a recording',
    description:
      'With `url` or `s3_path` the answer is a task id: `GET /status/{id}` and `GET /download/{id}` follow it. The fields from `callback_url` on mean something only then.',
    tags: ['Speech'],
    request: joinableUpload(TranscribeRequest),
    responses: {
      200: {
        description: 'The transcript',
        headers: JOINABLE_ANSWER_HEADERS,
        content: jsonContent(TranscribeResponse),
      },
      ...laterAs(JobOrTask),
      ...UPLOAD_FAILURES,
    },
  },
]
