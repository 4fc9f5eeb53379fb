/** What can be decided before a byte of the body has been read: what kind of body it is, and some refusals. */
import { Failure } from '../failure.ts'
import { type BodyLimits, tooLarge } from './body.ts'

export type BodyType = { readonly kind: 'json' } | { readonly kind: 'form'; readonly boundary: string }

/** RFC 2046 §5.1.1. */
const MAX_BOUNDARY_CHARACTERS = 70

/** @throws Failure unsupported_media_type, invalid_multipart, file_too_large */
export function checkHeaders(
  headers: Headers,
  limits: BodyLimits,
): { readonly type: BodyType; readonly announcedBytes: number | undefined } {
  const encoding = headers.get('content-encoding') ?? 'identity'
  if (encoding.toLowerCase() !== 'identity') {
    throw new Failure(
      'unsupported_media_type',
      `Content-Encoding "${encoding}" is not supported: send the body as it is.`,
    )
  }
  const type = bodyType(headers.get('content-type') ?? '')
  // Chunked bodies have no length; they are counted as they come.
  const length = headers.get('content-length')
  const announcedBytes = length === null ? undefined : Number(length)
  if ((announcedBytes ?? 0) > limits.maxBodyBytes) throw tooLarge(limits)
  return { type, announcedBytes }
}

function bodyType(contentType: string): BodyType {
  if (/^application\/json\s*(;|$)/i.test(contentType)) return { kind: 'json' }
  if (!/^multipart\/form-data\s*(;|$)/i.test(contentType)) {
    const sent = contentType === '' ? 'missing' : `"${contentType}"`
    const allowed = 'multipart/form-data or application/json'
    throw new Failure('unsupported_media_type', `The Content-Type is ${sent}; it must be ${allowed}.`)
  }
  const parameter = /;\s*boundary=(?:"([^"]*)"|([^;\s]*))/i.exec(contentType)
  const boundary = parameter?.[1] ?? parameter?.[2] ?? ''
  if (boundary.length === 0 || boundary.length > MAX_BOUNDARY_CHARACTERS) {
    const allowed = `a boundary of 1 to ${MAX_BOUNDARY_CHARACTERS} characters`
    throw new Failure('invalid_multipart', `The Content-Type multipart/form-data needs ${allowed}.`)
  }
  return { kind: 'form', boundary }
}
