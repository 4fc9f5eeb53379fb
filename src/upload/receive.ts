/**
 * A multipart request body becomes fields and one file on disk, in a directory that is deleted. Nothing is buffered:
 * 1 GB passes through while the process holds 200 MB. What the fields mean is decided elsewhere, after everything has arrived.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import type { Busboy } from 'busboy'
import { Failure } from '../failure.ts'
import { type BodyLimits, chunksOf, hungUp } from './body.ts'
import { checkHeaders } from './headers.ts'
import { createParser, type Parsed } from './parser.ts'

/** Field name → values in the order they came. A Map, so that a field named `__proto__` is only a field. */
export type Fields = ReadonlyMap<string, readonly string[]>

interface UploadedFile {
  readonly path: string
  /** What the client calls it: metadata, never a path. Undefined when it has no name. */
  readonly name: string | undefined
  readonly sizeBytes: number
}

export interface Upload extends AsyncDisposable {
  readonly fields: Fields
  readonly file: UploadedFile
}

/**
 * Disposing of the upload deletes its directory; when this throws, nothing is left on disk.
 *
 * @throws Failure for everything that may be wrong with a body, and when the client hangs up.
 */
export async function receive(request: Request, spoolDir: string, limits: BodyLimits): Promise<Upload> {
  checkHeaders(request.headers, limits)
  const directory = join(spoolDir, randomUUID())
  const remove = () => rm(directory, { recursive: true, force: true })
  await mkdir(directory, { mode: 0o700 })
  try {
    return { ...(await spool(request, join(directory, 'upload'), limits)), [Symbol.asyncDispose]: remove }
  } catch (error) {
    await remove()
    throw error
  }
}

async function spool(
  request: Request,
  path: string,
  limits: BodyLimits,
): Promise<Pick<Upload, 'fields' | 'file'>> {
  // Opened before the first byte comes: an open that is still on its way would outlive the removal of its directory.
  await using target = await open(path, 'wx', 0o600)
  const refusal = new AbortController()
  const signal = AbortSignal.any([request.signal, refusal.signal])
  const refuse = (cause: unknown) => refusal.abort(cause)
  const { parser, parsed } = createParser(request.headers, target, refuse)

  try {
    await feed(parser, chunksOf(request.body, { ...limits, refuse }, signal), signal)
    return { fields: parsed.fields, file: { path, ...fileOf(parsed, await parsed.written) } }
  } catch (error) {
    refuse(error) // the first reason stays: what follows is noise of the tearing down
    parser.destroy()
    await parsed.written.catch(() => {}) // only to wait for the last write; why it failed is known
    throw request.signal.aborted ? hungUp(error) : refusal.signal.reason
  }
}

async function feed(parser: Busboy, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  for await (const chunk of chunks) {
    if (!parser.write(chunk)) await once(parser, 'drain', { signal })
  }
  parser.end()
  await finished(parser, { signal })
}

function fileOf(
  { file, strayFileField }: Parsed,
  sizeBytes: number,
): Pick<UploadedFile, 'name' | 'sizeBytes'> {
  if (file && sizeBytes > 0) return { name: file.name, sizeBytes }
  if (file) throw new Failure('empty_file', 'The uploaded file is empty.', { param: 'file' })
  const hint = strayFileField === undefined ? '' : ` The file came in a field named "${strayFileField}".`
  throw new Failure('missing_file', `The request needs an audio file in the form field "file".${hint}`, {
    param: 'file',
  })
}
