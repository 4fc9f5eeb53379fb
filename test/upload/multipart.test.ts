import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { MultipartReader } from '../../src/upload/multipart.ts'

interface Part {
  readonly name: string | undefined
  readonly content: string
}

function read(pieces: readonly Buffer[], boundary = 'cut'): Part[] {
  const reader = new MultipartReader(boundary)
  const parts: { name: string | undefined; content: string }[] = []
  for (const piece of pieces) {
    for (const event of reader.read(piece)) {
      const part = parts.at(-1)
      if (event.kind === 'part') parts.push({ name: event.header.name, content: '' })
      else if (part) part.content += Buffer.from(event.bytes).toString('latin1')
    }
  }
  reader.end()
  return parts
}

const part = (name: string, content: string) =>
  `--cut\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${content}\r\n`

describe('a multipart body', () => {
  const CONTENTS = [
    '',
    '\r\n',
    '\r',
    '-',
    '--cut',
    '\r\n--cu',
    '\r\n--cutter',
    '\r\n--cut-',
    '\r\n--cut -',
    '\r\n--cut\r-',
    '\r\n\r\n--cu\r\n--cx\r\r\n-',
  ]
  const BODY = `preamble\r\n${CONTENTS.map((content, i) => part(`p${i}`, content)).join('')}--cut--\r\nepilogue --cut\r\n`
  const PARTS = CONTENTS.map((content, i) => ({ name: `p${i}`, content }))

  test('is read the same, wherever it is cut in two', () => {
    const bytes = Buffer.from(BODY)

    for (let at = 0; at <= bytes.length; at++) {
      expect(read([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(PARTS)
    }
  })

  test('is read byte by byte', () => {
    expect(read([...Buffer.from(BODY)].map((byte) => Buffer.from([byte])))).toEqual(PARTS)
  })

  test('may have blanks behind its boundaries', () => {
    const body = BODY.replaceAll('--cut\r\ncontent', '--cut \t\r\ncontent')

    expect(read([...Buffer.from(body)].map((byte) => Buffer.from([byte])))).toEqual(PARTS)
  })

  test('may fold the lines of its headers', () => {
    const body = '--cut\r\nContent-Disposition: form-data;\r\n\tname="a"\r\n\r\nx\r\n--cut--'

    expect(read([Buffer.from(body)])).toEqual([{ name: 'a', content: 'x' }])
  })

  test('that ends anywhere before its closing boundary is refused', () => {
    const body = Buffer.from(part('a', 'x') + part('b', 'y\r\n--cut'))

    for (let at = 0; at <= body.length; at++) {
      expect(() => read([body.subarray(0, at)])).toThrow(
        expect.objectContaining({ code: 'invalid_multipart' }) as Error,
      )
    }
  })

  test('of any bytes is read or refused, the same wherever it is cut', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '--cut',
        '\r\n',
        '\r\n--cut',
        '--',
        '\r\n\r\n',
        'content-disposition: form-data; name="a"',
        ':',
        '"',
      ),
      fc.string({ unit: 'binary', maxLength: 6 }),
    )
    const outcome = (pieces: readonly Buffer[]) => {
      try {
        return read(pieces)
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        return error.code
      }
    }
    const isTheSame = (pieces: string[], lengths: number[]) => {
      const body = Buffer.from(pieces.join(''))
      expect(outcome(cut(body, lengths))).toEqual(outcome([body]))
    }

    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.array(fc.integer({ min: 1, max: 20 })), isTheSame),
      {
        seed: 2026,
        numRuns: 3000,
      },
    )
  })

  test('is read as the platform reads it, whatever it holds and however it is cut', async () => {
    const content = fc
      .array(fc.oneof(fc.constantFrom('\r', '\n', '\r\n', '-', '--', '\r\n--cu', 'c', '\0'), fc.string()))
      .map((pieces) => pieces.join(''))
      .filter((text) => !text.includes('--cut')) // which the sender of a multipart body sees to
    const isRead = async (contents: string[], lengths: number[]) => {
      const sent = contents.map((text, i) => part(`p${i}`, text)).join('')
      const body = Buffer.from(`${sent}--cut--\r\n`)
      const headers = { 'content-type': 'multipart/form-data; boundary=cut' }
      const form = await new Response(body, { headers }).formData()

      const parts = [...form].map(([name, value]) => ({ name, content: value }))
      expect(read(cut(body, lengths))).toEqual(parts)
    }

    await fc.assert(fc.asyncProperty(fc.array(content), fc.array(fc.integer({ min: 1, max: 40 })), isRead), {
      seed: 2026,
      numRuns: 500,
    })
  })
})

/** In pieces of these lengths, over and over. */
function cut(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = []
  let at = 0
  while (at < bytes.length) {
    const length = lengths[pieces.length % lengths.length] ?? bytes.length
    pieces.push(bytes.subarray(at, at + length))
    at += length
  }
  return pieces
}
