/** Bytes that came over a connection become answers, read strictly: what is no whole answer, or comes after it, is told. */

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export interface AnswersRead {
  /** Those that are whole. */
  readonly answers: readonly Answer[]
  /** The one that broke off, as far as it came. */
  readonly torn: Answer | undefined
  /** Why the bytes are no HTTP, if they are none. */
  readonly problem: string | undefined
}

export function readAnswers(bytes: Buffer): AnswersRead {
  const answers: Answer[] = []
  let rest = bytes
  while (rest.length > 0) {
    const headEnd = rest.indexOf('\r\n\r\n')
    if (headEnd < 0) return { answers, torn: undefined, problem: `a head that does not end` }
    const head = readHead(rest.subarray(0, headEnd).toString('latin1'))
    if (head === undefined) return { answers, torn: undefined, problem: 'bytes that are no HTTP answer' }
    const body = readBody(head.headers, rest.subarray(headEnd + 4))
    const answer = { ...head, body: body.content }
    if (body.problem !== undefined) return { answers, torn: answer, problem: body.problem }
    if (!body.isWhole) return { answers, torn: answer, problem: undefined }
    if (head.status >= 200) answers.push(answer)
    rest = body.rest
  }
  return { answers, torn: undefined, problem: undefined }
}

function readHead(text: string): Omit<Answer, 'body'> | undefined {
  const [first = '', ...lines] = text.split('\r\n')
  const status = /^HTTP\/1\.1 (\d{3})(?: .*)?$/.exec(first)?.[1]
  if (status === undefined) return undefined
  const headers = lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  return { status: Number(status), headers: Object.fromEntries(headers) }
}

interface BodyRead {
  readonly content: Buffer
  readonly isWhole: boolean
  readonly rest: Buffer
  readonly problem?: string
}

const NOTHING = Buffer.alloc(0)

function readBody(headers: Answer['headers'], bytes: Buffer): BodyRead {
  if (headers['transfer-encoding'] === 'chunked') return readChunks(bytes)
  const length = headers['content-length']
  if (length === undefined) {
    return { content: bytes, isWhole: false, rest: NOTHING, problem: 'a body without a length' }
  }
  const isWhole = bytes.length >= Number(length)
  return { content: bytes.subarray(0, Number(length)), isWhole, rest: bytes.subarray(Number(length)) }
}

function readChunks(bytes: Buffer): BodyRead {
  const chunks: Buffer[] = []
  let rest = bytes
  const torn = () => ({ content: Buffer.concat(chunks), isWhole: false, rest: NOTHING })
  for (;;) {
    const lineEnd = rest.indexOf('\r\n')
    if (lineEnd < 0) return torn()
    const size = Number.parseInt(rest.subarray(0, lineEnd).toString('latin1'), 16)
    if (Number.isNaN(size)) return { ...torn(), problem: 'a chunk without a size' }
    const chunk = rest.subarray(lineEnd + 2, lineEnd + 2 + size)
    if (rest.length < lineEnd + 2 + size + 2) {
      chunks.push(chunk)
      return torn()
    }
    chunks.push(chunk)
    rest = rest.subarray(lineEnd + 2 + size + 2)
    if (size === 0) return { content: Buffer.concat(chunks), isWhole: true, rest }
  }
}
