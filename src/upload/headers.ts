/** What can be refused before a byte of the body has been read. */
import { Failure } from '../failure.ts'
import { type BodyLimits, tooLarge } from './body.ts'

/** RFC 2046 §5.1.1. */
const MAX_BOUNDARY_CHARACTERS = 70

/** @throws Failure unsupported_media_type, invalid_multipart, file_too_large */
export function checkHeaders(headers: Headers, limits: BodyLimits): void {
  const encoding = headers.get('content-encoding') ?? 'identity'
  if (encoding.toLowerCase() !== 'identity') {
    throw new Failure(
      'unsupported_media_type',
      `Content-Encoding "${encoding}" is not supported: send the body as it is.`,
    )
  }
  const contentType = headers.get('content-type') ?? ''
  if (!/^multipart\/form-data\s*(;|$)/i.test(contentType)) {
    const sent = contentType === '' ? 'missing' : `"${contentType}"`
    throw new Failure(
      'unsupported_media_type',
      `The Content-Type is ${sent}; it must be multipart/form-data.`,
    )
  }
  const boundary = /;\s*boundary=(?:"([^"]*)"|([^;\s]*))/i.exec(contentType)
  const boundaryCharacters = (boundary?.[1] ?? boundary?.[2] ?? '').length
  if (boundaryCharacters === 0 || boundaryCharacters > MAX_BOUNDARY_CHARACTERS) {
    const allowed = `a boundary of 1 to ${MAX_BOUNDARY_CHARACTERS} characters`
    throw new Failure('invalid_multipart', `The Content-Type multipart/form-data needs ${allowed}.`)
  }
  // Chunked bodies have no length; they are counted as they come.
  if (Number(headers.get('content-length') ?? 0) > limits.maxBodyBytes) throw tooLarge(limits)
}
