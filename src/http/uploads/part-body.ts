/** A part of an upload: a form whose field `data` is written to the disk. */
import type { Context } from 'hono'
import { Failure } from '../../failure.ts'
import { type LooseUpload, receiveLoosely } from '../../upload/receive.ts'
import type { HttpEnv, Parts } from '../parts.ts'

const MIB = 1024 ** 2
/** As OpenAI allows. */
const MAX_PART_BYTES = 64 * MIB
/** What a form needs beside its file. */
const FORM_BYTES = MIB

/** @throws Failure for everything that may be wrong with the form, or when the part is too large. */
export async function receivePart(c: Context<HttpEnv>, parts: Parts, idleMs: number): Promise<LooseUpload> {
  const { spoolDir, disk } = parts
  const limits = { maxBodyBytes: MAX_PART_BYTES + FORM_BYTES, idleMs, disk, fileField: 'data' }
  const part = await receiveLoosely(c.req.raw, spoolDir, limits)
  if (part.file instanceof Failure ? part.file.code === 'empty_file' : part.file.sizeBytes <= MAX_PART_BYTES)
    return part
  await part[Symbol.asyncDispose]()
  if (part.file instanceof Failure) {
    throw new Failure('missing_file', 'The request needs a part, as the form field "data".', {
      param: 'data',
    })
  }
  throw new Failure('file_too_large', `The part is larger than ${MAX_PART_BYTES} bytes.`, { param: 'data' })
}
