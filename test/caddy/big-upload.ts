/** Any amount of silence, as a form over HTTP/2, made while it is sent; and how much memory others need for it. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:http2'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'

/** The densest that a WAV may be: the recording is big, and not long. */
const FORMAT = { channels: 8, samplesPerSecond: 384_000, bytesPerSample: 2 } as const
const BYTES_PER_SECOND = FORMAT.channels * FORMAT.samplesPerSecond * FORMAT.bytesPerSample

const BOUNDARY = 'between-parts'
const PIECE = Buffer.alloc(1024 * 1024)

interface BigAnswer {
  readonly status: number
  readonly body: string
  /** Of the recording. */
  readonly bytes: number
}

export async function uploadBig(
  { url, root }: { readonly url: string; readonly root: string },
  seconds: number,
): Promise<BigAnswer> {
  const bytes = seconds * BYTES_PER_SECOND
  const session = connect(url, { ca: root })
  try {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/v1/audio/transcriptions',
      'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
    })
    const head = once(stream, 'response') as Promise<[{ ':status'?: number }]>
    Readable.from(bigForm(bytes)).pipe(stream)
    const [{ ':status': status = 0 }] = await head
    return { status, body: await text(stream), bytes }
  } finally {
    session.destroy()
  }
}

function* bigForm(bytes: number): Generator<Buffer, void, undefined> {
  yield Buffer.from(
    `--${BOUNDARY}\r\ncontent-disposition: form-data; name="response_format"\r\n\r\nverbose_json\r\n`,
  )
  yield Buffer.from(
    `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="long.wav"\r\n\r\n`,
  )
  yield wavHeader(bytes)
  for (let left = bytes; left > 0; left -= PIECE.length) yield PIECE.subarray(0, Math.min(left, PIECE.length))
  yield Buffer.from(`\r\n--${BOUNDARY}--\r\n`)
}

function wavHeader(bytes: number): Buffer {
  const header = Buffer.alloc(44)
  header.write('RIFF', 0)
  header.writeUInt32LE(36 + bytes, 4)
  header.write('WAVEfmt ', 8)
  header.writeUInt32LE(16, 16)
  header.writeUInt16LE(1, 20)
  header.writeUInt16LE(FORMAT.channels, 22)
  header.writeUInt32LE(FORMAT.samplesPerSecond, 24)
  header.writeUInt32LE(BYTES_PER_SECOND, 28)
  header.writeUInt16LE(FORMAT.channels * FORMAT.bytesPerSample, 32)
  header.writeUInt16LE(FORMAT.bytesPerSample * 8, 34)
  header.write('data', 36)
  header.writeUInt32LE(bytes, 40)
  return header
}

/** The most that a process has ever held in memory. */
export async function peakMib(pid: number): Promise<number> {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

export async function parentOf(pid: number): Promise<number> {
  return Number(/^PPid:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1])
}
