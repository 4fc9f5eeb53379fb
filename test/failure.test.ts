import { expect, test } from 'vitest'
import { FAILURES, Failure, type FailureCode } from '../src/failure.ts'

const rows = Object.entries(FAILURES) as [FailureCode, (typeof FAILURES)[FailureCode]][]

test.each(rows)('%s has a status that fits its type', (code, { status, type }) => {
  const failure = new Failure(code, 'What went wrong.')

  expect(failure).toMatchObject({ code, status, type, param: null, message: 'What went wrong.' })
  expect(type).toBe(status >= 500 ? 'server_error' : 'invalid_request_error')
})

test('what only we may see is the cause, and not in the message', () => {
  const cause = new Error('/data/spool/secret')
  const failure = new Failure('invalid_audio', 'This is no audio.', { param: 'file', cause })

  expect(failure.cause).toBe(cause)
  expect(failure.param).toBe('file')
  expect(failure.message).not.toContain('secret')
})
