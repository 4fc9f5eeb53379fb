/** What clients write where they mean an object of a store: which they may name, and under which keys results are written. */
import { Failure } from '../failure.ts'

const MAX_PATH_CHARACTERS = 512
/** S3's own limit is 1024 bytes. */
const MAX_KEY_BYTES = 1024
const RESULT_ENDING = /\.(json|md)$/
const NAME_IN_DIRECTORY = 'transcript'

export interface S3Places {
  /** The one of the settings. */
  readonly bucket: string
  /** Where our own blobs lie in it, everybody's: no client names anything there. Empty: not in this bucket. */
  readonly ownPrefix: string
}

export interface S3Object {
  readonly bucket: string
  readonly key: string
}

/**
 * When it is asked for, and again when it is fetched: the settings may have changed in between. Some stores follow `..` as a file
 * system does, and it would lead to what is ours.
 *
 * @throws Failure url_not_allowed
 */
export function requireReadable({ bucket, key }: S3Object, places: S3Places): void {
  const refused = (why: string) =>
    new Failure('url_not_allowed', `The url may not be fetched: ${why}.`, { param: 'url' })
  if (bucket !== places.bucket) throw refused('it names another bucket than the one of this server')
  if (isOwn(key, places)) throw refused('it names what this server keeps for itself')
  if (key.split('/').some((step) => ['.', '..'].includes(step))) throw refused('its key has a step . or ..')
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw refused(`its key has more than ${MAX_KEY_BYTES} bytes`)
}

/**
 * `talks/monday` → `talks/monday.json` and `talks/monday.md`; the same for `talks/monday.json`; `talks/` →
 * `talks/transcript.json` and `talks/transcript.md`.
 *
 * @throws Failure invalid_value
 */
export function resultKeys(s3Path: string, places: S3Places): { readonly json: string; readonly md: string } {
  const path = s3Path.startsWith(`s3://${places.bucket}/`)
    ? s3Path.slice(`s3://${places.bucket}/`.length)
    : s3Path
  const named = path.endsWith('/') ? `${path}${NAME_IN_DIRECTORY}` : path.replace(RESULT_ENDING, '')
  const steps = named.split('/')
  if (s3Path.length > MAX_PATH_CHARACTERS) throw refusedPath(`of at most ${MAX_PATH_CHARACTERS} characters`)
  if (!named.isWellFormed() || /[\p{Cc}\\]/u.test(named))
    throw refusedPath('without control characters and backslashes')
  if (steps.some((step) => ['', '.', '..'].includes(step))) {
    throw refusedPath(
      'that does not begin with a slash, with a name between any two slashes, and none of them . or ..',
    )
  }
  if (isOwn(`${named}.`, places)) throw refusedPath('outside of what this server keeps for itself')
  return { json: `${named}.json`, md: `${named}.md` }
}

function isOwn(key: string, { ownPrefix }: S3Places): boolean {
  return ownPrefix !== '' && key.startsWith(ownPrefix)
}

function refusedPath(allowed: string): Failure {
  const message = `The field "s3_path" must be a path in the bucket of this server ${allowed}.`
  return new Failure('invalid_value', message, { param: 's3_path' })
}
