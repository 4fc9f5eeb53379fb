/** Requests as bytes, so that every one of them can be broken anywhere. It does not know what is asked. */

export interface Head {
  readonly method?: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

export function headOf({ method = 'POST', path, headers }: Head): Buffer {
  const lines = Object.entries({ host: 'localhost', connection: 'close', ...headers })
  return Buffer.from(
    `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
    'latin1',
  )
}

export interface Body {
  readonly contentType: string
  readonly content: Buffer
}

export interface Form {
  readonly boundary: string
  readonly fields: Readonly<Record<string, string>>
  readonly file?: { readonly name: string; readonly content: Buffer }
}

export function multipart({ boundary, fields, file }: Form): Body {
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  const content: Buffer[] = [Buffer.from(parts.join(''))]
  if (file !== undefined) {
    const disposition = `Content-Disposition: form-data; name="file"; filename="${file.name}"`
    content.push(Buffer.from(`--${boundary}\r\n${disposition}\r\n\r\n`), file.content, Buffer.from('\r\n'))
  }
  content.push(Buffer.from(`--${boundary}--\r\n`))
  return { contentType: `multipart/form-data; boundary=${boundary}`, content: Buffer.concat(content) }
}

export function json(fields: Readonly<Record<string, unknown>>, recording: Buffer): Body {
  const content = JSON.stringify({ input_audio: { data: recording.toString('base64') }, ...fields })
  return { contentType: 'application/json', content: Buffer.from(content) }
}

/** The body in chunks, as clients send it that do not know its length. */
export function chunked(content: Buffer, chunkBytes: number): Buffer {
  const chunks = pieces(content, chunkBytes).map((piece) =>
    Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]),
  )
  return Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')])
}

export function pieces(content: Buffer, bytes: number): Buffer[] {
  const count = Math.ceil(content.length / bytes)
  return Array.from({ length: count }, (_, index) => content.subarray(index * bytes, (index + 1) * bytes))
}
