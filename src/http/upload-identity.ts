/**
 * When two uploads are the same to us: the same client, the same bytes and the same `Idempotency-Key`, if any. Which options
 * they come with, and what is done about it, is decided elsewhere.
 */
import { createHash } from 'node:crypto'
import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { Failure } from '../failure.ts'
import type { AudioSource } from '../transcriber.ts'
import type { Upload } from '../upload/receive.ts'
import { accountOf } from './limits.ts'
import type { HttpEnv, Parts } from './parts.ts'
import { noteRoad } from './speech-facts.ts'
import { traceRoad } from './tracing.ts'
import { TIER_HEADER } from './tier.ts'

const JOINED_HEADER = 'x-joined'
const KEY_HEADER = 'idempotency-key'
/** Printable ASCII, as long as such keys are elsewhere. */
const KEY = /^[\x20-\x7e]{1,255}$/

export const RETRY_REQUEST_HEADERS = z.object({
  ...TIER_HEADER,
  [KEY_HEADER]: z.string().regex(KEY).optional().meta({
    description:
      'Announces that the client will ask again with the same key if it gets no answer: its work is kept for longer',
  }),
  prefer: z.string().optional().meta({
    description:
      '`respond-async` makes a job of the request, `respond-async, wait=30` only if it is not done within 30 seconds (RFC 7240)',
  }),
})

/** Of what is a job anyway. */
export const ORDER_HEADERS = z.object({
  ...TIER_HEADER,
  [KEY_HEADER]: z.string().regex(KEY).optional().meta({
    description: 'The same order under the same key is the same job, however often it is sent',
  }),
})

export const RETRY_ANSWER_HEADERS = z.object({
  [JOINED_HEADER]: z.enum(['running', 'finished']).optional().meta({
    description:
      'This request joined work that was running, or that had just finished. Absent: it began its own. `Cache-Control: no-store` always does',
  }),
})

/** RFC 9111 §5.2.1: whoever says so wants no answer from somewhere else, and none kept. */
const NOT_SHARED = /(?:^|,)\s*no-(?:store|cache)\s*(?:,|=|$)/i

/** @throws Failure invalid_value */
export function audioSource(c: Context<HttpEnv>, { config }: Parts, { file }: Upload): AudioSource {
  const key = idempotencyKey(c)
  const owner = c.get('clientId')
  const source = plainSource(c, file.path)
  if (!config.joinsRetries || NOT_SHARED.test(c.req.header('cache-control') ?? '')) return source
  return {
    ...source,
    identity: identityOf([owner ?? '', key ?? '', file.sha256]),
    isAskedAgain: key !== undefined,
    onJoined: (state) => {
      c.set('joined', state)
      if (!c.finalized) c.header(JOINED_HEADER, state) // an answer that has begun has its headers
    },
  }
}

/** A recording as it stands with those of others, without a word about which of them are the same. */
export function plainSource(c: Context<HttpEnv>, path: string): AudioSource {
  const [owner, tier] = [c.get('clientId'), c.get('tier')]
  const account = accountOf(c)
  const [facts, trace] = [noteRoad(c.get('speech')), c.get('trace')]
  const observer = trace === undefined ? facts : traceRoad(trace, facts)
  return {
    path,
    account,
    observer,
    ...(owner !== undefined && { owner }),
    ...(tier !== undefined && { tier }),
  }
}

/** As JSON, so that no two lists look alike; hashed, so that what it holds appears nowhere. */
function identityOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

/** An empty header counts as none. */
export function idempotencyKey(c: Context<HttpEnv>): string | undefined {
  const key = c.req.header(KEY_HEADER) || undefined
  if (key === undefined || KEY.test(key)) return key
  throw new Failure(
    'invalid_value',
    `The header Idempotency-Key has ${key.length} characters or some that are not printable ASCII; allowed are up to 255 printable ones.`,
    { param: 'Idempotency-Key' },
  )
}
