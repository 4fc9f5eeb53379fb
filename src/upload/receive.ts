/**
 * A request body becomes fields and one file on disk, in a directory that is deleted. Nothing is buffered: however large the file,
 * memory stays where it was. What the fields mean is decided elsewhere, after everything has arrived.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../failure.ts'
import { type BodyLimits, chunksOf, hungUp } from './body.ts'
import { type DiskRoom, isDiskFull, noRoom } from './disk-room.ts'
import type { Fields } from './fields.ts'
import { readForm } from './form-body.ts'
import { type BodyType, checkHeaders } from './headers.ts'
import { readJson } from './json-body.ts'
import { SpooledFile } from './spooled-file.ts'

export type { Fields } from './fields.ts'

export interface UploadedFile {
  readonly path: string
  /** What the client calls it: metadata, never a path. Undefined when it has no name. */
  readonly name: string | undefined
  readonly sizeBytes: number
  /** Of its bytes, in hexadecimal: the same file sent again has the same. */
  readonly sha256: string
}

export interface UploadLimits extends BodyLimits {
  readonly disk: DiskRoom
  /** What a form calls the file; `file` when absent. */
  readonly fileField?: string
}

export interface Upload extends AsyncDisposable {
  readonly fields: Fields
  readonly file: UploadedFile
}

/** A body that may do without a file: then it says what it lacks, in case nothing else stands for it. */
export interface LooseUpload extends AsyncDisposable {
  readonly fields: Fields
  readonly file: UploadedFile | Failure
}

/**
 * Disposing of the upload deletes its directory; when this throws, nothing is left on disk.
 *
 * @throws Failure for everything that may be wrong with a body, and when the client hangs up.
 */
export async function receive(request: Request, spoolDir: string, limits: UploadLimits): Promise<Upload> {
  return withFile(await receiveLoosely(request, spoolDir, limits))
}

/** The same upload, when it has a file; else it is disposed of. @throws Failure missing_file, empty_file */
export async function withFile(upload: LooseUpload): Promise<Upload> {
  const { fields, file } = upload
  const dispose = () => upload[Symbol.asyncDispose]()
  if (!(file instanceof Failure)) return { fields, file, [Symbol.asyncDispose]: dispose }
  await dispose()
  throw file
}

/** The same for bodies that may do without a file. */
export async function receiveLoosely(
  request: Request,
  spoolDir: string,
  limits: UploadLimits,
): Promise<LooseUpload> {
  const { type, announcedBytes } = checkHeaders(request.headers, limits)
  using claim = await limits.disk.claim(announcedBytes)
  const directory = join(spoolDir, randomUUID())
  const remove = () => rm(directory, { recursive: true, force: true })
  try {
    await mkdir(directory, { mode: 0o700 })
    await using file = await SpooledFile.create(join(directory, 'upload'), claim)
    const contents = await spool(request, type, file, limits)
    return { ...contents, [Symbol.asyncDispose]: remove }
  } catch (error) {
    await remove()
    // A body that was torn off looks damaged, too.
    if (request.signal.aborted) throw hungUp(error)
    throw isDiskFull(error) ? noRoom(error) : error
  }
}

async function spool(
  request: Request,
  type: BodyType,
  file: SpooledFile,
  limits: UploadLimits,
): Promise<Pick<LooseUpload, 'fields' | 'file'>> {
  const chunks = chunksOf(request.body, limits, request.signal)
  const { fields, name, lack } =
    type.kind === 'json'
      ? await readJson(chunks, file)
      : await readForm(chunks, type.boundary, file, limits.fileField)
  const { path, sizeBytes } = file
  return { fields, file: lack ?? { path, name, sizeBytes, sha256: file.sha256() } }
}
