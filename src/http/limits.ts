/** How a client meets its limits: before its body is read, and with the headers that say what is left. */
import type { Context } from 'hono'
import type { HttpEnv, Parts } from './parts.ts'

export const RATE_LIMIT_HEADERS = [
  'x-ratelimit-limit-requests',
  'x-ratelimit-remaining-requests',
  'x-ratelimit-reset-requests',
]

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
