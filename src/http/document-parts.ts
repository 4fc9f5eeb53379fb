/** Pieces from which the routes describe themselves in OpenAPI. */
import { type RouteConfig, z } from '@hono/zod-openapi'
import { RATE_LIMIT_ANSWER_HEADERS } from './limits.ts'
import type { UploadSchemas } from './request-schemas.ts'
import { ErrorResponse } from './response-schemas.ts'
import { TIER_HEADER } from './tier.ts'
import { RETRY_ANSWER_HEADERS, RETRY_REQUEST_HEADERS } from './upload-identity.ts'

type Responses = RouteConfig['responses']

/** What each status means here; a route names those that it can give. */
const MEANINGS = {
  400: 'The file or a field cannot be used; `param` names it',
  401: 'A key is needed, and the one that came is not good',
  403: 'The key is not good for this, or the loaded model would be deleted',
  404: 'There is no such model, no such upload, or no such job',
  408: 'The upload stopped coming',
  409: 'Not as things are: the upload does not end where the piece begins, or the `Idempotency-Key` is that of another order',
  410: 'The recording of the job is no longer there',
  412: 'The header `Tus-Resumable` is not 1.0.0',
  413: 'The request is larger than the server allows',
  415: 'Neither multipart/form-data nor JSON, or compressed',
  429: 'This client has had as much as a client may have: `Retry-After` says when there is more',
  500: 'Our fault; `x-request-id` finds it in the log',
  503: 'Loading, busy or shutting down: try again after `Retry-After` seconds',
  507: 'There is no room on the disk for the upload or for what is decoded from it',
} as const

export function jsonContent(schema: z.ZodType) {
  return { 'application/json': { schema } }
}

/** What the example of a JSON body holds; without one Swagger UI invents a value for every member: `prompt` is then "string". */
const EXAMPLE: Readonly<Record<string, string>> = { model: 'whisper-1', language: 'da' }

/** What answers to uploads may say beside their body; in the second, what joining adds. */
export const UPLOAD_ANSWER_HEADERS = RATE_LIMIT_ANSWER_HEADERS
export const JOINABLE_ANSWER_HEADERS = RETRY_ANSWER_HEADERS.extend(RATE_LIMIT_ANSWER_HEADERS.shape)

const RETRY_AFTER = {
  'retry-after': z.string().meta({ description: 'In how many seconds it makes sense to ask again' }),
}
const FAILURE_HEADERS: Partial<Record<keyof typeof MEANINGS, z.ZodObject>> = {
  429: RATE_LIMIT_ANSWER_HEADERS.extend(RETRY_AFTER),
  503: z.object(RETRY_AFTER),
}

/** A form with a file, or JSON with the file in base64. */
export function uploadBody({ form, json }: UploadSchemas) {
  const fields = Object.fromEntries(Object.entries(EXAMPLE).filter(([name]) => name in json.shape))
  const example = { input_audio: { data: 'the recording in base64', format: 'wav' }, ...fields }
  const content = {
    'multipart/form-data': { schema: form },
    'application/json': { schema: json, example },
  }
  return { body: { required: true, content }, headers: z.object(TIER_HEADER) }
}

/** The same for work that a retry may join. */
export function joinableUpload(schemas: UploadSchemas) {
  return { ...uploadBody(schemas), headers: RETRY_REQUEST_HEADERS }
}

export function failures(...statuses: readonly (keyof typeof MEANINGS)[]): Responses {
  const content = jsonContent(ErrorResponse)
  const failure = (status: keyof typeof MEANINGS) => {
    const headers = FAILURE_HEADERS[status]
    return { description: MEANINGS[status], content, ...(headers !== undefined && { headers }) }
  }
  return Object.fromEntries(statuses.map((status) => [status, failure(status)]))
}

/** Every route that takes an upload may fail in these ways; openapi.ts adds what keys can do. */
export const UPLOAD_FAILURES = failures(400, 404, 408, 413, 415, 429, 500, 503, 507)
