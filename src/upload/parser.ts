/**
 * busboy with the guards it needs: every limit is a refusal, never a silent cut. The only file that knows busboy,
 * so that its successor would change nothing else.
 */
import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import busboy, { type Busboy } from 'busboy'
import { Failure } from '../failure.ts'

const MAX_FIELD_BYTES = 1024 * 1024
const LIMITS = { files: 1, fields: 64, parts: 80, fieldSize: MAX_FIELD_BYTES }
const MAX_NAME_CHARACTERS = 255

/** What has been found so far; complete when the parser has finished. */
export interface Parsed {
  readonly fields: Map<string, string[]>
  file?: { readonly name: string | undefined }
  /** Where the file came instead, when it was not called `file`. */
  strayFileField?: string | undefined
  /** The file's size, once all of it is on disk. */
  written: Promise<number>
}

/** @param refuse is called with a Failure, or with what the disk said. The parser must then be destroyed. */
export function createParser(
  headers: Headers,
  target: FileHandle,
  refuse: (cause: unknown) => void,
): { parser: Busboy; parsed: Parsed } {
  const parsed: Parsed = { fields: new Map(), written: Promise.resolve(0) }
  const parser = openParser(headers)

  parser.on('file', (field: string | undefined, bytes, { filename }) => {
    // A torn stream also reports here; the parser's own error says it better.
    bytes.on('error', () => {})
    if (field !== 'file') {
      parsed.strayFileField = field
      bytes.resume()
      return
    }
    parsed.file = { name: safeName(filename) }
    parsed.written = write(bytes, target)
    parsed.written.catch(refuse)
  })
  parser.on('field', (name: string | undefined, value, { valueTruncated }) => {
    if (name === 'file') refuse(namelessFile())
    else if (valueTruncated) refuse(fieldTooLong(name))
    else if (name !== undefined) parsed.fields.set(name, [...(parsed.fields.get(name) ?? []), value])
  })
  parser.on('filesLimit', () => refuse(tooMany('one file')))
  parser.on('fieldsLimit', () => refuse(tooMany(`${LIMITS.fields} fields`)))
  parser.on('partsLimit', () => refuse(tooMany(`${LIMITS.parts} parts`)))
  parser.on('error', (cause) => refuse(malformed(cause)))
  return { parser, parsed }
}

/** @throws Failure for a content type that has a boundary and is broken elsewhere. */
function openParser(headers: Headers): Busboy {
  try {
    // File names come as raw UTF-8 from every SDK; busboy's default is latin1.
    return busboy({ headers: Object.fromEntries(headers), limits: LIMITS, defParamCharset: 'utf8' })
  } catch (cause) {
    throw malformed(cause)
  }
}

async function write(bytes: Readable, target: FileHandle): Promise<number> {
  await target.writeFile(bytes)
  return (await target.stat()).size
}

/** busboy has cut off directories already; what is left is for display only. */
function safeName(filename: string | undefined): string | undefined {
  return (
    filename
      ?.normalize('NFC')
      .replace(/\p{Cc}/gu, '')
      .slice(0, MAX_NAME_CHARACTERS) || undefined
  )
}

/** Without a file name the multipart rules make it a text field, and reading audio as text destroys it. */
function namelessFile(): Failure {
  return new Failure(
    'missing_file',
    'The part "file" came as text: give it a filename, as in curl -F file=@speech.wav',
    {
      param: 'file',
    },
  )
}

function fieldTooLong(name: string | undefined): Failure {
  const param = name ?? ''
  return new Failure('invalid_value', `The field "${param}" is longer than ${MAX_FIELD_BYTES} bytes.`, {
    param,
  })
}

function tooMany(allowed: string): Failure {
  return new Failure('invalid_multipart', `The request holds more than ${allowed}.`)
}

function malformed(cause: unknown): Failure {
  const what = cause instanceof Error ? cause.message : String(cause)
  return new Failure('invalid_multipart', `The multipart body cannot be read: ${what}.`, { cause })
}
