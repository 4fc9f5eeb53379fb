/** A request without a file may name one that is elsewhere: an earlier upload, or a URL. It decides that there is one of them. */
import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from 'hono'
import { Failure } from '../failure.ts'
import type { Fields, LooseUpload, UploadedFile } from '../upload/receive.ts'
import { isFilled } from './form.ts'
import type { HttpEnv, Parts } from './parts.ts'

type Elsewhere = UploadedFile & AsyncDisposable

/** @throws Failure; then the upload is disposed of. */
export async function withRecordingElsewhere(
  c: Context<HttpEnv>,
  parts: Parts,
  upload: LooseUpload,
): Promise<LooseUpload> {
  await using held = new AsyncDisposableStack()
  held.use(upload)
  const found = await find(c, parts, upload)
  if (found !== undefined) {
    held.use(found)
    c.set('fileBytes', found.sizeBytes)
  }
  const whole = held.move()
  const { fields, file } = upload
  return { fields, file: found ?? file, [Symbol.asyncDispose]: () => whole.disposeAsync() }
}

async function find(
  c: Context<HttpEnv>,
  parts: Parts,
  { fields, file }: LooseUpload,
): Promise<Elsewhere | undefined> {
  const [id, url] = [lastOf(fields, 'upload_id'), lastOf(fields, 'url')]
  const isSent = !(file instanceof Failure)
  if (Number(isSent) + Number(id !== undefined) + Number(url !== undefined) > 1) throw tooMany(id, url)
  const { signal } = c.req.raw
  if (id !== undefined) return parts.uploads.take(id, c.get('clientId'), parts.spoolDir, signal)
  return url === undefined ? undefined : fetched(url, parts, signal)
}

async function fetched(
  url: string,
  { fetchRecording, spoolDir }: Parts,
  signal: AbortSignal,
): Promise<Elsewhere> {
  if (fetchRecording === undefined) {
    const message =
      'The url may not be fetched: this server fetches none, unless its setting ALLOW_URL says so.'
    throw new Failure('url_not_allowed', message, { param: 'url' })
  }
  const directory = join(spoolDir, randomUUID())
  const dispose = () => rm(directory, { recursive: true, force: true })
  try {
    await mkdir(directory, { mode: 0o700 })
    const file = await fetchRecording(url, join(directory, 'upload'), signal)
    return { ...file, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

function lastOf(fields: Fields, name: string): string | undefined {
  return fields.get(name)?.filter(isFilled).at(-1)?.trim()
}

function tooMany(id: string | undefined, url: string | undefined): Failure {
  const message = 'The request names more than one recording; it may have a file, an upload_id or a url.'
  return new Failure('invalid_value', message, {
    param: id === undefined && url !== undefined ? 'url' : 'upload_id',
  })
}
