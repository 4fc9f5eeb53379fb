/** How a client meets its limits: before its body is read, and with the headers that say what is left. */
import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { HttpEnv, Parts } from './parts.ts'

const REQUESTS = 'Where requests are limited (MAX_REQUESTS_PER_MINUTE)'

/** OpenAI's names. */
export const RATE_LIMIT_ANSWER_HEADERS = z.object({
  'x-ratelimit-limit-requests': z
    .string()
    .optional()
    .meta({ description: `${REQUESTS}: how many a minute has` }),
  'x-ratelimit-remaining-requests': z
    .string()
    .optional()
    .meta({ description: `${REQUESTS}: how many are left of it` }),
  'x-ratelimit-reset-requests': z
    .string()
    .optional()
    .meta({
      description: `${REQUESTS}: in how many seconds the next minute begins, as in \`42s\``,
    }),
})

export const RATE_LIMIT_HEADERS = Object.keys(RATE_LIMIT_ANSWER_HEADERS.shape)

/** Whose allowance a request uses: its key's, or where none is needed its address's. */
export function accountOf(c: Context<HttpEnv>): string {
  return c.get('clientId') ?? c.get('address')
}

/** @throws Failure rate_limit_exceeded */
export async function enterWithinLimits(c: Context<HttpEnv>, { limits }: Parts): Promise<Disposable> {
  const account = accountOf(c)
  try {
    return await limits.enter(account)
  } finally {
    const left = await limits.requestsLeft(account)
    const values = left && [String(left.limit), String(left.remaining), `${left.resetSeconds}s`]
    values?.forEach((value, index) => c.header(RATE_LIMIT_HEADERS[index] ?? '', value))
  }
}
