/** What is told to clients whose URL cannot be fetched. When that is so is decided where it is fetched. */
import { Failure } from '../failure.ts'

const PARAM = { param: 'url' } as const

export function notAllowed(why: string): Failure {
  return new Failure('url_not_allowed', `The url may not be fetched: ${why}.`, PARAM)
}

export function unreachable(why: string, cause?: unknown): Failure {
  return new Failure('url_unreachable', `The url could not be fetched: ${why}.`, { ...PARAM, cause })
}

export function invalidUrl(why: string): Failure {
  return new Failure('invalid_value', `The field "url" ${why}; it must be an http or https URL.`, PARAM)
}

export function recordingTooLarge(maxBytes: number): Failure {
  return new Failure('file_too_large', `The recording at the url is larger than ${maxBytes} bytes.`, PARAM)
}

export function nothingThere(): Failure {
  return new Failure('empty_file', 'The file at the url is empty.', PARAM)
}
