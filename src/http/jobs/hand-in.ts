/**
 * An upload and its fields become a job: which recording is meant, whether it may be fetched, and that the same order under
 * the same `Idempotency-Key` is the same job. What the answer looks like is the routes' business.
 */
import type { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { Failure } from '../../failure.ts'
import type { Job } from '../../jobs/job.ts'
import type { Draft, Recording } from '../../jobs/job-desk.ts'
import type { LooseUpload } from '../../upload/receive.ts'
import type { Wish } from '../answer.ts'
import { hangUp } from '../hang-up.ts'
import type { EarlierUpload, HttpEnv, JobParts, Parts } from '../parts.ts'
import { idempotencyKey } from '../upload-identity.ts'
import type { HandlingFields } from './job-fields.ts'

export type Handling = z.output<typeof HandlingFields> & {
  readonly metadata: Readonly<Record<string, string>>
}

/** What is asked of a recording, to be told some day. */
export type KeptWish = Omit<Wish, 'isStreamed'>

export const JOB_ID_HEADER = 'x-job-id'
export const REPLAYED_HEADER = 'idempotent-replayed'

/** For requests that say nothing of it. */
export const NO_HANDLING: Handling = { metadata: {}, keep_audio: false, afterwards: [] }

/** So that any format can be asked for later. A translation has no word times. */
export function withWords({ options, format, rendering }: KeptWish): KeptWish {
  const { hasLogprobs } = rendering
  const wantsWords = options.task !== 'translate'
  return {
    options: { ...options, wantsWords, wantsLogprobs: hasLogprobs, wantsDeltas: false },
    format,
    rendering,
  }
}

/** The file is taken away; the rest of the upload stays the caller's. @throws Failure */
export async function handIn(
  c: Context<HttpEnv>,
  { jobs }: Parts,
  upload: LooseUpload,
  { wish, handling }: { readonly wish: KeptWish; readonly handling: Handling },
): Promise<{ readonly job: Job; readonly isNew: boolean }> {
  const { url, upload_id, s3_path, callback_url } = handling
  requireOneRecording(upload, handling)
  requireKnownSteps(handling.afterwards, jobs)
  if (s3_path !== undefined) await requireS3Path(jobs, s3_path)
  if (callback_url !== undefined) await requireCallback(jobs, callback_url)
  const draft = draftOf(c, wish, handling)
  const added =
    upload_id !== undefined
      ? await handInEarlier(jobs, upload_id, draft, hangUp(c).signal)
      : await jobs.desk.handIn(
          url !== undefined ? await remote(jobs, url, draft) : uploaded(upload.file, draft),
        )
  c.header(JOB_ID_HEADER, added.job.order.id)
  if (!added.isNew) c.header(REPLAYED_HEADER, 'true')
  return added
}

type Asked = Omit<Draft, 'recording'>

function draftOf(c: Context<HttpEnv>, wish: KeptWish, handling: Handling): Asked {
  const { s3_path, callback_url, metadata, keep_audio, afterwards } = handling
  const [owner, key] = [c.get('clientId'), idempotencyKey(c)]
  return {
    ...wish,
    lane: handling.lane ?? (c.get('tier') === 'realtime' ? 'interactive' : 'batch'),
    metadata,
    keepsAudio: keep_audio,
    afterwards: [...new Set(afterwards)],
    ...(owner !== undefined && { owner }),
    ...(key !== undefined && { idempotencyKey: key }),
    ...(callback_url !== undefined && { callbackUrl: callback_url }),
    ...(s3_path !== undefined && { s3Path: s3_path }),
  }
}

/** An empty file beside a URL is a form's empty input. @throws Failure */
function requireOneRecording({ file }: LooseUpload, { url, upload_id }: Handling): void {
  const given = Object.entries({ file: file instanceof Failure ? undefined : file, url, upload_id })
  const names = given.flatMap(([name, value]) => (value === undefined ? [] : [name]))
  if (names.length === 1) return
  if (names.length === 0 && file instanceof Failure) throw file
  throw new Failure(
    'invalid_value',
    `The request names ${names.length} recordings, ${names.join(' and ')}; it must have exactly one of file, url, upload_id.`,
    { param: names.at(-1) ?? 'file' },
  )
}

function requireKnownSteps(asked: readonly string[], { afterwards }: JobParts): void {
  const unknown = asked.find((name) => !afterwards.has(name))
  if (unknown === undefined) return
  const allowed = afterwards.size === 0 ? 'empty: no steps are set up here' : [...afterwards].join(', ')
  throw refusal(
    'afterwards',
    `names a step that there is not; the list of those that there are is ${allowed}`,
  )
}

async function requireS3Path(jobs: JobParts, path: string): Promise<void> {
  const needed = 'AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and S3_STORAGE_BUCKET'
  if (!jobs.requireS3Path) throw refusal('s3_path', `cannot be used: the server has no ${needed}`)
  await jobs.requireS3Path(path)
}

async function requireCallback(jobs: JobParts, url: string): Promise<void> {
  if (!jobs.requireCallbackAllowed) throw refusal('callback_url', 'cannot be used: the server calls nobody')
  try {
    await jobs.requireCallbackAllowed(url)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const message = `The field "callback_url" cannot be used: ${error.message}`
    throw new Failure(error.code, message, { param: 'callback_url', cause: error })
  }
}

/** @throws the Failure of a body that has no file */
function uploaded(file: LooseUpload['file'], asked: Asked): Draft {
  if (file instanceof Failure) throw file
  const { path, sizeBytes, sha256, name } = file
  return named({ ...asked, recording: { kind: 'file', path, sizeBytes, identity: sha256 } }, name)
}

async function remote(jobs: JobParts, url: string, asked: Asked): Promise<Draft> {
  const address = URL.parse(url)
  const name = lastStep(address?.pathname ?? '')
  const recording = await requireSource(jobs, url, address)
  return named({ ...asked, recording }, name)
}

async function requireSource(jobs: JobParts, url: string, address: URL | null): Promise<Recording> {
  if (address?.protocol === 's3:') {
    const [bucket, key] = [address.hostname, decoded(address.pathname.slice(1))]
    // A key may hold a ? or a #; what follows them in a URL is not its path, and it would be another object.
    const isCut = address.search !== '' || address.hash !== ''
    if (bucket === '' || key === undefined || key === '' || isCut)
      throw refusal(
        'url',
        'must be s3://bucket/key for an S3 store, with %, ? and # written %25, %3F and %23',
      )
    if (!jobs.requireS3Source) throw refusal('url', 'cannot be used: the server reads from no S3 store')
    await jobs.requireS3Source(bucket, key)
    return { kind: 's3', bucket, key }
  }
  if (address === null || !['http:', 'https:'].includes(address.protocol))
    throw refusal('url', 'must be an https, http or s3 URL')
  if (!jobs.requireUrlAllowed)
    throw refusal('url', 'cannot be used: the server fetches no URLs (the setting ALLOW_URL allows it)')
  await jobs.requireUrlAllowed(url)
  return { kind: 'url', url }
}

/** A repetition finds its upload taken: by the job that it is a repetition of. */
async function handInEarlier(jobs: JobParts, uploadId: string, asked: Asked, signal: AbortSignal) {
  if (!jobs.takeUpload)
    throw refusal('upload_id', 'cannot be used: the server takes no uploads by themselves')
  const identity = `upload ${uploadId}`
  await using undo = new AsyncDisposableStack()
  let taken: EarlierUpload
  try {
    taken = undo.use(await jobs.takeUpload(uploadId, asked.owner, signal))
  } catch (error) {
    const recording: Recording = { kind: 'file', path: '', sizeBytes: 0, identity }
    const job = isNotThere(error) ? await jobs.desk.handedInBefore({ ...asked, recording }) : undefined
    if (job === undefined) throw error
    return { job, isNew: false }
  }
  const { path, sizeBytes, name } = taken
  // Awaited here: else the file would be disposed of while it is taken.
  return await jobs.desk.handIn(
    named({ ...asked, recording: { kind: 'file', path, sizeBytes, identity } }, name),
  )
}

function isNotThere(error: unknown): boolean {
  return error instanceof Failure && error.status === 404
}

function named(draft: Draft, name: string | undefined): Draft {
  return name === undefined || name === '' ? draft : { ...draft, fileName: name }
}

function lastStep(path: string): string | undefined {
  return decoded(path.split('/').at(-1) ?? '')
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

function refusal(param: string, what: string): Failure {
  return new Failure('invalid_value', `The field "${param}" ${what}.`, { param })
}
