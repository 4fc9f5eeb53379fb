import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { expect, test } from 'vitest'

const MEBIBYTE = 1024 * 1024

interface Measured {
  readonly sizeBytes: number
  readonly sha256: string
  readonly peakBytes: number
}

/** A body of so many times the same piece, which is never whole anywhere on this side either. */
function* repeated(head: string, piece: Buffer, times: number, tail: string): Generator<Buffer> {
  yield Buffer.from(head)
  for (let sent = 0; sent < times; sent++) yield piece
  yield Buffer.from(tail)
}

const SOUND = Buffer.alloc((MEBIBYTE * 3) / 4, 'what a long recording that is ')

test.each([
  [
    'a JSON body',
    'application/json',
    '{"model":"whisper-1","input_audio":{"format":"wav","data":"',
    Buffer.from(SOUND.toString('base64')),
    '"},"language":"da"}',
  ],
  [
    'a form',
    'multipart/form-data; boundary=b',
    '--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n',
    SOUND,
    '\r\n--b--\r\n',
  ],
])('%s of 256 MB takes no more memory than one of 16 MB', async (_what, type, head, piece, tail) => {
  const child = fork(new URL('measured-receiver.ts', import.meta.url))
  const ended = once(child, 'exit')
  try {
    const [port] = (await once(child, 'message')) as [number]
    const send = async (megabytes: number): Promise<Measured> => {
      const body = ReadableStream.from(repeated(head, piece, megabytes, tail))
      const init = { method: 'POST', body, headers: { 'content-type': type }, duplex: 'half' as const }
      return (await (await fetch(`http://127.0.0.1:${port}`, init)).json()) as Measured
    }
    const small = await send(16)
    const large = await send(256)

    const hash = createHash('sha256')
    for (let hashed = 0; hashed < 256; hashed++) hash.update(SOUND)
    expect(large).toMatchObject({ sizeBytes: 256 * SOUND.length, sha256: hash.digest('hex') })
    expect(large.peakBytes - small.peakBytes).toBeLessThan(48 * MEBIBYTE)
  } finally {
    child.disconnect()
    await ended
  }
})
