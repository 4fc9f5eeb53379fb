/** What a client is told of an error, in OpenAI's envelope, and what of a bug stays with us. It does not know how it is sent. */
import type { Context } from 'hono'
import { Failure } from '../failure.ts'
import type { Log } from '../log.ts'
import { clientLeft } from './hang-up.ts'
import type { HttpEnv } from './parts.ts'

/** A bug gives the client a plain sentence and an id; the log gets everything. */
export function asFailure(error: unknown, c: Context<HttpEnv>, log: Log): Failure {
  const requestId = c.get('requestId')
  // Whatever broke while the client was leaving broke because of it, and nobody is there to read the answer.
  if (c.req.raw.signal.aborted) return clientLeft(error)
  const failure =
    error instanceof Failure
      ? error
      : new Failure('internal_error', `Something went wrong on our side. Please report request ${requestId}.`)
  // Also of a full disk the operator has to know. Why a job failed was logged when it did.
  const isNews = failure.code !== 'job_failed'
  if (isNews && (failure.status === 500 || failure.status === 507))
    log.error('request failed', { requestId, error })
  return failure
}

/** All four keys, always. */
export function envelope({ message, type, param, code }: Failure) {
  return { error: { message, type, param, code } }
}
