/** Pieces from which the routes describe themselves in OpenAPI. */
import type { RouteConfig, z } from '@hono/zod-openapi'
import { ErrorResponse } from './response-schemas.ts'

type Responses = RouteConfig['responses']

/** What each status means here; a route names those that it can give. */
const MEANINGS = {
  400: 'The file or a field cannot be used; `param` names it',
  404: 'There is no such model',
  408: 'The upload stopped coming',
  413: 'The request is larger than the server allows',
  415: 'Not multipart/form-data, or compressed',
  500: 'Our fault; `x-request-id` finds it in the log',
  503: 'Loading, busy or shutting down: try again after `Retry-After` seconds',
} as const

export function jsonContent(schema: z.ZodType) {
  return { 'application/json': { schema } }
}

export function formBody(schema: z.ZodObject) {
  return { body: { required: true, content: { 'multipart/form-data': { schema } } } }
}

export function failures(...statuses: readonly (keyof typeof MEANINGS)[]): Responses {
  const content = jsonContent(ErrorResponse)
  return Object.fromEntries(statuses.map((status) => [status, { description: MEANINGS[status], content }]))
}

/** Every route that takes an upload may fail in these ways. */
export const UPLOAD_FAILURES = failures(400, 408, 413, 415, 500, 503)
