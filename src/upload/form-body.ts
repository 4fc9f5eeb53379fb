/** The parts of a form become fields and the one file. Which part is the file is decided by its name alone. */
import type { Failure } from '../failure.ts'
import { CollectedFields, type Fields, fieldTooLong, MAX_FIELD_BYTES } from './fields.ts'
import { MultipartReader } from './multipart.ts'
import type { PartHeader } from './part-header.ts'
import { emptyFile, malformedMultipart, missingFile } from './refusals.ts'
import type { SpooledFile } from './spooled-file.ts'

/** Fields, the file, and some that mean nothing. */
const MAX_PARTS = 320

/** What was in a body beside the bytes of its file. */
export interface BodyContents {
  readonly fields: Fields
  /** What the client calls the file. */
  readonly name: string | undefined
  /** Why there is no file. */
  readonly lack: Failure | undefined
}

/** @throws Failure for everything that may be wrong with a form, but that it has no file. */
export async function readForm(
  chunks: AsyncIterable<Uint8Array>,
  boundary: string,
  file: SpooledFile,
  fileField = 'file',
): Promise<BodyContents> {
  const reader = new MultipartReader(boundary)
  const form = new FormParts(file, fileField)
  for await (const chunk of chunks) {
    for (const event of reader.read(chunk)) {
      if (event.kind === 'part') form.begin(event.header)
      else await form.take(event.bytes)
    }
  }
  reader.end()
  return form.end()
}

type Part =
  | { readonly kind: 'file' | 'ignored' }
  | {
      readonly kind: 'field'
      readonly name: string
      readonly decoder: InstanceType<typeof TextDecoder>
      text: string
      sizeBytes: number
    }

class FormParts {
  readonly #fields = new CollectedFields('invalid_multipart')
  readonly #file: SpooledFile
  readonly #fileField: string
  #current: Part = { kind: 'ignored' }
  #parts = 0
  #fileHeader: PartHeader | undefined
  /** Where a file came that was not called `file`. */
  #strayField: string | undefined

  constructor(file: SpooledFile, fileField: string) {
    this.#file = file
    this.#fileField = fileField
  }

  begin(header: PartHeader): void {
    this.#finishField()
    this.#parts += 1
    if (this.#parts > MAX_PARTS) throw malformedMultipart(`it holds more than ${MAX_PARTS} parts`)
    this.#current = this.#open(header)
  }

  async take(bytes: Uint8Array): Promise<void> {
    const part = this.#current
    if (part.kind === 'file') await this.#file.write(bytes)
    if (part.kind !== 'field') return
    part.sizeBytes += bytes.byteLength
    if (part.sizeBytes > MAX_FIELD_BYTES) throw fieldTooLong(part.name)
    part.text += part.decoder.decode(bytes, { stream: true })
  }

  end(): BodyContents {
    this.#finishField()
    return { fields: this.#fields.all, name: this.#fileHeader?.filename, lack: this.#lack() }
  }

  #lack(): Failure | undefined {
    if (this.#file.sizeBytes > 0) return undefined
    if (this.#fileHeader !== undefined) return emptyFile(this.#fileField)
    const stray = this.#strayField
    return missingFile(
      this.#fileField,
      stray === undefined ? '' : ` The file came in a field named "${stray}".`,
    )
  }

  #open(header: PartHeader): Part {
    const { name, charset } = header
    if (name === undefined) return { kind: 'ignored' }
    if (name === this.#fileField || name === `${this.#fileField}[]`) {
      // Also without a filename or a type: n8n sends such files, and nothing else can be meant.
      if (this.#fileHeader !== undefined) throw malformedMultipart('it holds more than one file')
      this.#fileHeader = header
      return { kind: 'file' }
    }
    if (header.filename !== undefined || header.contentType === 'application/octet-stream') {
      this.#strayField = name
      return { kind: 'ignored' }
    }
    return { kind: 'field', name, decoder: decoderOf(charset), text: '', sizeBytes: 0 }
  }

  #finishField(): void {
    const part = this.#current
    this.#current = { kind: 'ignored' }
    if (part.kind === 'field') this.#fields.add(part.name, part.text + part.decoder.decode())
  }
}

function decoderOf(charset: string) {
  try {
    return new TextDecoder(charset)
  } catch {
    return new TextDecoder() // a charset that nobody knows is most likely a misspelt UTF-8
  }
}
