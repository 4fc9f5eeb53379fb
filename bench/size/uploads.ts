/**
 * Uploads of gigabytes through the real server: what Node keeps of them in memory, and how fast it takes them.
 *
 *   npm run bench:uploads -- --gib 1,4 --out bench/results/uploads.json
 *
 * The file is never anywhere but with the server: it is a WAV header and silence, made while it is sent. In eight channels of
 * 192 kHz with 32 bits, 4 GiB are twelve minutes, so that the whole road is taken: to disk, hashed, decoded, listened to, answered.
 */
import { request } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { type MeasuredServer, machine, startServer } from './server.ts'

const { values } = parseArgs({
  options: {
    gib: { type: 'string', default: '1,4' },
    kind: { type: 'string', default: 'multipart,json' },
    note: { type: 'string', default: '' },
    out: { type: 'string' },
  },
})

const GIB = 1024 ** 3
const CHUNK_BYTES = 48 * 1024 // a multiple of three: base64 of the whole is that of its parts
const CHANNELS = 8
const RATE = 192_000
const SAMPLE_BYTES = 4

interface Body {
  readonly type: string
  readonly bytes: number
  readonly chunks: () => Iterable<Buffer>
}

/** Of 48 bytes with a chunk that nobody knows, for the sake of base64. https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html */
function header(fileBytes: number): Buffer {
  const head = Buffer.alloc(48)
  head.write('RIFF', 0)
  head.writeUInt32LE(fileBytes - 8, 4)
  head.write('WAVEfmt ', 8)
  head.writeUInt32LE(20, 16) // four bytes more than usual
  head.writeUInt16LE(3, 20) // floating point
  head.writeUInt16LE(CHANNELS, 22)
  head.writeUInt32LE(RATE, 24)
  head.writeUInt32LE(RATE * CHANNELS * SAMPLE_BYTES, 28)
  head.writeUInt16LE(CHANNELS * SAMPLE_BYTES, 32)
  head.writeUInt16LE(SAMPLE_BYTES * 8, 34)
  head.write('data', 40)
  head.writeUInt32LE(fileBytes - 48, 44)
  return head
}

function* wav(fileBytes: number): Generator<Buffer> {
  yield header(fileBytes)
  const silence = Buffer.alloc(CHUNK_BYTES)
  for (let left = fileBytes - 48; left > 0; left -= CHUNK_BYTES) yield silence.subarray(0, Math.min(left, CHUNK_BYTES))
}

function multipart(fileBytes: number): Body {
  const before = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
  const after = '\r\n--b--\r\n'
  return {
    type: 'multipart/form-data; boundary=b',
    bytes: before.length + fileBytes + after.length,
    chunks: function* () {
      yield Buffer.from(before)
      yield* wav(fileBytes)
      yield Buffer.from(after)
    },
  }
}

function json(fileBytes: number): Body {
  const before = '{"input_audio":{"data":"'
  const after = '","format":"wav"}}'
  return {
    type: 'application/json',
    bytes: before.length + Math.ceil(fileBytes / 3) * 4 + after.length,
    chunks: function* () {
      yield Buffer.from(before)
      for (const chunk of wav(fileBytes)) yield Buffer.from(chunk.toString('base64'))
      yield Buffer.from(after)
    },
  }
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly sentSeconds: number
  readonly seconds: number
}

async function send(url: string, body: Body): Promise<Answer> {
  const headers = { 'content-type': body.type, 'content-length': body.bytes }
  const beganMs = performance.now()
  const post = request(`${url}/v1/audio/transcriptions`, { method: 'POST', headers })
  const answered = new Promise<{ status: number; text: string }>((resolve, reject) => {
    post.once('error', reject)
    post.once('response', (response) => {
      response.setEncoding('utf8')
      response.toArray().then((pieces) => resolve({ status: response.statusCode ?? 0, text: pieces.join('') }), reject)
    })
  })
  await pipeline(Readable.from(body.chunks(), { objectMode: true, highWaterMark: 4 }), post)
  const sentSeconds = (performance.now() - beganMs) / 1000
  return { ...(await answered), sentSeconds, seconds: (performance.now() - beganMs) / 1000 }
}

async function measure(server: MeasuredServer, kind: string, gib: number) {
  const fileBytes = gib * GIB
  const body = kind === 'multipart' ? multipart(fileBytes) : json(fileBytes)
  const seen = server.watch()
  const answer = await send(server.url, body)
  const samples = seen()
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`)
  const figures = {
    kind,
    fileBytes,
    bodyBytes: body.bytes,
    uploadSeconds: rounded(answer.sentSeconds),
    megabytesPerSecond: Math.round(body.bytes / 1e6 / answer.sentSeconds),
    answeredAfterSeconds: rounded(answer.seconds),
    nodeBeforeMb: samples[0]?.nodeMb,
    nodePeakMb: server.nodePeakMb(),
    childPeakMb: server.childPeakMb(),
    filesLeft: server.filesLeft(),
  }
  console.log(JSON.stringify(figures))
  return figures
}

function rounded(seconds: number): number {
  return Math.round(seconds * 10) / 10
}

const uploads: Awaited<ReturnType<typeof measure>>[] = []
for (const gib of values.gib.split(',').map(Number)) {
  for (const kind of values.kind.split(',')) {
    // Each in a server of its own: the kernel counts the peak from its start.
    await using server = await startServer({ DISK_RESERVE_BYTES: '0', JOIN_RETRIES: 'on' })
    uploads.push(await measure(server, kind, gib))
  }
}
const what = 'uploads into the real server, hashed (SHA-256), on disk, decoded and answered'
const result = { what, note: values.note, machine: machine(), uploads }
if (values.out !== undefined) await writeFile(values.out, `${JSON.stringify(result, null, 2)}\n`)
