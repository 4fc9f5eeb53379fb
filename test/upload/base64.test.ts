import { describe, expect, test } from 'vitest'
import { Base64Reader } from '../../src/upload/base64.ts'

/** Bytes whose base64 holds both digits in which the alphabets differ. */
const BYTES = Buffer.from([0xfb, 0xff, 0xfe, 0x00, 0x10, 0x83, 0x3e, 0x3f, 0xff, 0xc0])
const PLAIN = BYTES.toString('base64')

function read(pieces: readonly string[]): Buffer {
  const reader = new Base64Reader('input_audio.data')
  return Buffer.concat([...pieces.map((piece) => reader.read(piece)), reader.end()])
}

/** In two, at every position; and digit by digit. */
function cuts(text: string): string[][] {
  const inTwo = Array.from({ length: text.length + 1 }, (_, at) => [text.slice(0, at), text.slice(at)])
  return [...inTwo, Array.from(text)]
}

describe('base64', () => {
  test.each([
    ['with padding', PLAIN],
    ['without padding', PLAIN.replaceAll('=', '')],
    ['with half of its padding', PLAIN.slice(0, -1)],
    ['in the alphabet for URLs', BYTES.toString('base64url')],
    ['with line breaks', `${PLAIN.slice(0, 5)}\r\n${PLAIN.slice(5, 11)}\n${PLAIN.slice(11)}\r\n`],
    ['with blanks everywhere', ` ${Array.from(PLAIN).join(' \t')} `],
    ['in a data: URL', `data:audio/wav;base64,${PLAIN}`],
    ['in a data: URL with parameters', `data:audio/webm;codecs=opus;base64,${PLAIN}`],
    ['in a data: URL in capitals', `\n DATA:;BASE64,${PLAIN}`],
  ])('%s is read, wherever it is cut', (_how, text) => {
    for (const pieces of cuts(text)) expect(read(pieces)).toEqual(BYTES)
  })

  test.each(Array.from({ length: 9 }, (_, length) => length))('of %i bytes is read', (length) => {
    const bytes = BYTES.subarray(0, length)

    for (const encoding of ['base64', 'base64url'] as const) {
      for (const pieces of cuts(bytes.toString(encoding))) expect(read(pieces)).toEqual(bytes)
    }
  })

  test('that begins like a URL and is none is read', () => {
    const bytes = Buffer.from('dataDATA', 'base64')

    for (const text of ['data', 'dataDA', 'dataDATA']) {
      for (const pieces of cuts(text))
        expect(read(pieces)).toEqual(bytes.subarray(0, Math.floor(text.length * 0.75)))
    }
  })

  test.each([
    ['with a letter that is none of its digits', 'QUJD*EFG', '"*"'],
    ['that was percent-encoded', 'QUJD%2BEF', '"%"'],
    ['beyond ASCII', 'QUJDæQUJD', '"æ"'],
    ['that goes on after its padding', 'QUI=QUJD', 'padding'],
    ['with padding in front', '=QUJD', 'padding'],
    ['with padding that pads nothing', 'QUJD=', 'early'],
    ['with too much padding', 'QQ===', 'early'],
    ['that lacks a digit', 'QUJDR', 'early'],
    ['in a URL that is not base64', 'data:audio/wav,RIFF', 'URL'],
    ['behind a link', 'https://example.com/a.wav', '":"'],
    ['in a URL that does not begin', 'data:audio/wav', '":"'],
    ['in a URL with a head that does not end', `data:${'a'.repeat(500)}`, 'URL'],
  ])('%s is refused, wherever it is cut', (_how, text, why) => {
    for (const pieces of cuts(text)) {
      expect(() => read(pieces)).toThrow(
        expect.objectContaining({
          code: 'invalid_value',
          param: 'input_audio.data',
          message: expect.stringContaining(why) as string,
        }) as Error,
      )
    }
  })
})
