/** Multipart bodies byte by byte, as clients other than SDKs write them: in this order, with these headers and no others. */
import { type Agent, type OutgoingHttpHeaders, request } from 'node:http'

export interface Part {
  readonly name: string
  readonly value: string | Buffer
  readonly filename?: string
  /** Content-Type of the part; many clients send none. */
  readonly type?: string
}

export interface Answered {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: string
}

const BOUNDARY = '----FormBoundary7MA4YWxkTrZu0gW'

export function multipart(parts: readonly Part[], boundary = BOUNDARY): Buffer {
  const pieces = parts.flatMap(({ name, value, filename, type }) => [
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"`,
    filename === undefined ? '' : `; filename="${filename}"`,
    type === undefined ? '' : `\r\nContent-Type: ${type}`,
    '\r\n\r\n',
    value,
    '\r\n',
  ])
  return Buffer.concat([...pieces, `--${boundary}--\r\n`].map((piece) => Buffer.from(piece)))
}

/** Sends the parts with a Content-Length; `headers` beside it and the Content-Type are the client's own. */
export function post(
  url: string,
  parts: readonly Part[],
  headers: Record<string, string> = {},
): Promise<Answered> {
  return send(url, multipart(parts), {
    'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
    ...headers,
  })
}

/**
 * Any body under any method and any path; Node adds no header that is not needed. Headers win over the Content-Length that is
 * counted here.
 */
export function send(
  url: string,
  body: Buffer,
  headers: OutgoingHttpHeaders,
  method = 'POST',
  agent?: Agent,
): Promise<Answered> {
  const { origin } = new URL(url)
  const path = url.slice(origin.length) // as it was written: URL would tidy it up
  const length = 'transfer-encoding' in headers ? {} : { 'content-length': body.length }
  return new Promise((resolve, reject) => {
    const options = { method, path, headers: { ...length, ...headers }, ...(agent && { agent }) }
    const asked = request(origin, options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const { statusCode = 0, headers: sent } = response
        resolve({ status: statusCode, headers: sent, body: Buffer.concat(chunks).toString() })
      })
    })
    asked.on('error', reject)
    asked.end(body)
  })
}
