/** A small JSON body becomes what a schema says. What it means is decided by the route. */
import type { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { Failure } from '../../failure.ts'
import { chunksOf } from '../../upload/body.ts'
import type { HttpEnv } from '../parts.ts'

/** Ten thousand ids of parts fit. */
const MAX_BODY_BYTES = 1024 ** 2

/** @throws Failure unsupported_media_type, invalid_json, invalid_value, file_too_large, request_timeout */
export async function parseJsonBody<Schema extends z.ZodType>(
  c: Context<HttpEnv>,
  schema: Schema,
  idleMs: number,
): Promise<z.output<Schema>> {
  const type = c.req.header('content-type') ?? ''
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    const sent = type === '' ? 'missing' : `"${type}"`
    throw new Failure('unsupported_media_type', `The Content-Type is ${sent}; it must be application/json.`)
  }
  const { body, signal } = c.req.raw
  const chunks = await Array.fromAsync(chunksOf(body, { maxBodyBytes: MAX_BODY_BYTES, idleMs }, signal))
  const parsed = schema.safeParse(readJson(Buffer.concat(chunks)))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const param = issue?.path.join('.') ?? ''
  const where = param === '' ? 'The body' : `The field "${param}"`
  throw new Failure('invalid_value', `${where} must be ${issue?.message ?? 'something else'}.`, { param })
}

function readJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new Failure('invalid_json', 'The JSON body cannot be read: it is damaged.', { cause })
  }
}
