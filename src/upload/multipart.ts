/**
 * The bytes of a multipart body become parts (RFC 2046, RFC 7578). It decides where a part begins and ends, not what it is for:
 * the libraries that decide both take a file without a file name for text, and destroy it.
 */
import { type PartHeader, readPartHeader } from './part-header.ts'
import { malformedMultipart } from './refusals.ts'

export type MultipartEvent =
  | { readonly kind: 'part'; readonly header: PartHeader }
  /** The next bytes of the part that was announced last. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }

/** As Node allows for an HTTP header. */
const MAX_HEADER_BYTES = 16 * 1024
/** RFC 2046 allows blanks between a boundary and the end of its line, without saying how many. */
const MAX_PADDING_BYTES = 64
const CARRIAGE_RETURN = 13

export class MultipartReader {
  readonly #delimiter: Buffer
  #phase: 'preamble' | 'header' | 'content' | 'epilogue' = 'preamble'
  /** Not understood yet. The first delimiter may lack the line break before it, so it is given one. */
  #pending: Buffer = Buffer.from('\r\n')

  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`)
  }

  /** The chunks may be cut anywhere. @throws Failure invalid_multipart */
  *read(chunk: Uint8Array): Generator<MultipartEvent, void, undefined> {
    if (this.#phase === 'epilogue') return
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes])
    while (this.#phase === 'header' ? yield* this.#readHeader() : yield* this.#readContent());
  }

  /** @throws Failure invalid_multipart when the body was cut off. */
  end(): void {
    if (this.#phase !== 'epilogue') throw malformedMultipart('it ends before its closing boundary')
  }

  /** @returns whether there is more to read in what is here. */
  *#readContent(): Generator<MultipartEvent, boolean, undefined> {
    const at = this.#pending.indexOf(this.#delimiter)
    if (at === -1) {
      yield* this.#take(this.#pending.length - this.#beginningOfDelimiter())
      return false
    }
    const end = at + this.#delimiter.length
    const line = restOfLine(this.#pending.toString('latin1', end, end + MAX_PADDING_BYTES + 2))
    yield* this.#take(line.kind === 'other' ? end : at)
    if (line.kind === 'closing') this.#phase = 'epilogue'
    if (line.kind === 'opening') {
      this.#phase = 'header'
      this.#pending = this.#pending.subarray(this.#delimiter.length + line.paddingBytes)
    }
    return line.kind === 'opening' || line.kind === 'other'
  }

  /** What is here begins with the line break of the delimiter, so that a header without lines ends like any other. */
  *#readHeader(): Generator<MultipartEvent, boolean, undefined> {
    const end = this.#pending.indexOf('\r\n\r\n')
    if ((end === -1 ? this.#pending.length : end) > MAX_HEADER_BYTES) {
      throw malformedMultipart(`the header of a part is longer than ${MAX_HEADER_BYTES} bytes`)
    }
    if (end === -1) return false
    yield { kind: 'part', header: readPartHeader(this.#pending.toString('utf8', 2, Math.max(2, end))) }
    this.#phase = 'content'
    this.#pending = this.#pending.subarray(end + 4)
    return true
  }

  *#take(length: number): Generator<MultipartEvent, void, undefined> {
    const bytes = this.#pending.subarray(0, length)
    this.#pending = this.#pending.subarray(length)
    if (this.#phase === 'content' && length > 0) yield { kind: 'bytes', bytes }
  }

  /** How many of the last bytes may begin a delimiter. It holds one carriage return, so there is one candidate. */
  #beginningOfDelimiter(): number {
    const last = this.#pending.subarray(Math.max(0, this.#pending.length - this.#delimiter.length + 1))
    const at = last.lastIndexOf(CARRIAGE_RETURN)
    if (at === -1) return 0
    const beginning = last.subarray(at)
    return this.#delimiter.subarray(0, beginning.length).equals(beginning) ? beginning.length : 0
  }
}

type RestOfLine =
  | { readonly kind: 'opening'; readonly paddingBytes: number }
  /** `cut`: too little is here to say. `other`: this was content that looks like a delimiter. */
  | { readonly kind: 'closing' | 'cut' | 'other' }

/** @param text what follows a delimiter, as far as it is here and can matter. */
function restOfLine(text: string): RestOfLine {
  if (text.startsWith('--')) return { kind: 'closing' }
  const padding = /^[ \t]*(?=\r\n)/.exec(text)?.[0]
  if (padding !== undefined) return { kind: 'opening', paddingBytes: padding.length }
  const mayGoOn = text.length < MAX_PADDING_BYTES + 2 && /^(-?|[ \t]*\r?)$/.test(text)
  return { kind: mayGoOn ? 'cut' : 'other' }
}
