/** The header of one part says what the part is called and how its text is encoded. Anything may be missing in it. */
import { malformedMultipart } from './refusals.ts'

export interface PartHeader {
  /** Undefined for what is not form-data. */
  readonly name: string | undefined
  /** For display only: without directories and control characters. Undefined when there is none, or an empty one. */
  readonly filename: string | undefined
  /** In lower case, without parameters. */
  readonly contentType: string
  readonly charset: string
}

const MAX_FILENAME_CHARACTERS = 255
/** RFC 9110 §5.6.2. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/
/** `; name=value`, where the value may be quoted. */
const PARAMETER = /;[ \t]*([^\s;="]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;"]*))/gy

interface Value {
  /** What comes before the parameters, in lower case. */
  readonly value: string
  readonly parameters: ReadonlyMap<string, string>
  readonly isWhole: boolean
}

/** @param text the header without its last line break. @throws Failure invalid_multipart */
export function readPartHeader(text: string): PartHeader {
  const lines = new Map(linesOf(text))
  const disposition = readValue(lines.get('content-disposition') ?? '')
  if (!disposition.isWhole) throw damaged()
  const isFormData = disposition.value === 'form-data'
  const type = readValue(lines.get('content-type') ?? 'text/plain')
  return {
    name: isFormData ? disposition.parameters.get('name') : undefined,
    filename: isFormData ? displayName(filenameIn(disposition.parameters)) : undefined,
    contentType: type.value,
    charset: type.parameters.get('charset') ?? 'utf-8',
  }
}

function linesOf(text: string): [name: string, value: string][] {
  if (text === '') return []
  const unfolded = text.replace(/\r\n[ \t]+/g, ' ').replaceAll('\t', ' ')
  return unfolded.split('\r\n').map((line) => {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(0, colon))
    if (!TOKEN.test(name) || /\p{Cc}/u.test(line)) throw damaged()
    return [name.toLowerCase(), line.slice(colon + 1).trim()]
  })
}

function readValue(text: string): Value {
  const value = /^[^;]*/.exec(text)?.[0] ?? ''
  const parameters = new Map<string, string>()
  let end = value.length
  for (const [all, name = '', quoted, bare = ''] of text.slice(end).matchAll(PARAMETER)) {
    // Old browsers send a Windows path with bare backslashes: one escapes nothing but quotes and itself.
    parameters.set(name.toLowerCase(), quoted?.replace(/\\(["\\])/g, '$1') ?? bare.trim())
    end += all.length
  }
  return { value: value.trim().toLowerCase(), parameters, isWhole: /^[;\s]*$/.test(text.slice(end)) }
}

/** RFC 7578 forbids `filename*`, and some clients send it beside the other for names beyond ASCII. */
function filenameIn(parameters: ReadonlyMap<string, string>): string {
  const plain = parameters.get('filename') ?? ''
  const encoded = /^utf-8'[^']*'(.+)$/i.exec(parameters.get('filename*') ?? '')?.[1]
  try {
    return encoded === undefined ? plain : decodeURIComponent(encoded)
  } catch {
    return plain // what was said to be percent-encoded UTF-8 is not
  }
}

/** What a `Content-Disposition` outside of a form calls the file (RFC 6266). Damaged ones call it nothing. */
export function fileNameIn(disposition: string): string | undefined {
  return displayName(filenameIn(readValue(disposition).parameters))
}

/** A quote comes as `%22` from browsers and SDKs (WHATWG HTML, "multipart/form-data encoding algorithm"). */
export function displayName(filename: string): string | undefined {
  const last = filename.split(/[/\\]/).at(-1) ?? ''
  if (last === '.' || last === '..') return undefined
  const shown = last
    .replaceAll('%22', '"')
    .normalize('NFC')
    .replace(/\p{Cc}/gu, '')
  return shown.slice(0, MAX_FILENAME_CHARACTERS) || undefined
}

function damaged() {
  return malformedMultipart('the header of a part is damaged')
}
