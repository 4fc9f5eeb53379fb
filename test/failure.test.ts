import { expect, test } from 'vitest'
import { FAILURES, Failure, type FailureCode } from '../src/failure.ts'

const rows = Object.entries(FAILURES) as [FailureCode, (typeof FAILURES)[FailureCode]][]

test.each(rows)('%s has a status that fits its type', (code, { status, type }) => {
  const failure = new Failure(code, 'What went wrong.')

  expect(failure).toMatchObject({ code, status, type, param: null, message: 'What went wrong.' })
  expect(type).toBe(status >= 500 ? 'server_error' : 'invalid_request_error')
})

test.each([
  [0.2, 1],
  [-3, 1],
  [7, 7],
  [7.01, 8],
  [3600, 60],
  [Number.POSITIVE_INFINITY, 60],
])('a wait of %d seconds is told as %d', (retryAfterSeconds, told) => {
  expect(new Failure('queue_full', 'Busy.', { retryAfterSeconds }).retryAfterSeconds).toBe(told)
})

test.each(rows)('%s says when to come back if, and only if, somebody may', (code, { status }) => {
  expect(new Failure(code, 'No.').retryAfterSeconds !== undefined).toBe(status === 503 || status === 429)
})

test('what only we may see is the cause, and not in the message', () => {
  const cause = new Error('/data/spool/secret')
  const failure = new Failure('invalid_audio', 'This is no audio.', { param: 'file', cause })

  expect(failure.cause).toBe(cause)
  expect(failure.param).toBe('file')
  expect(failure.message).not.toContain('secret')
})
