import { expect, test } from 'vitest'
import { formatJsonLine, readJsonLines } from '../../src/engine/json-lines.ts'
import { all } from './children.ts'

const VALUES = [{ text: 'blåbær på rugbrød 🫐' }, { text: 'linje\nskift' }, {}, [1, 2]]
const BYTES = Buffer.from(VALUES.map(formatJsonLine).join(''))

async function* chunks(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size)
}

test.each([1, 2, 3, 7, BYTES.length])('lines arrive whole in chunks of %i bytes', async (size) => {
  expect(await all(readJsonLines(chunks(BYTES, size)))).toEqual(VALUES)
})

test('what follows the last line break is not a message', async () => {
  expect(await all(readJsonLines(chunks(Buffer.from('{"a":1}\n{"b":'), 64)))).toEqual([{ a: 1 }])
})

test.each([
  ['is finished', `${'x'.repeat(50)}\n`],
  ['never ends', 'x'.repeat(50)],
])('a line that is too long and %s is refused', async (_what, text) => {
  await expect(all(readJsonLines(chunks(Buffer.from(text), 8), 20))).rejects.toThrow(RangeError)
})

test('a line of 16 MiB arrives within the limit, and quickly', async () => {
  const line = Buffer.from(`"${'x'.repeat(16 * 1024 * 1024 - 2)}"\n`)

  expect(await all(readJsonLines(chunks(line, 65_536)))).toEqual(['x'.repeat(16 * 1024 * 1024 - 2)])
})

test.each([
  ['not JSON', 'hello\n', SyntaxError],
  ['an empty line', '\n', SyntaxError],
])('%s is refused', async (_what, text, error) => {
  await expect(all(readJsonLines(chunks(Buffer.from(text), 64)))).rejects.toThrow(error)
})

test('bytes that are not UTF-8 are refused', async () => {
  await expect(all(readJsonLines(chunks(Buffer.from([0x22, 0xff, 0x22, 0x0a]), 64)))).rejects.toThrow(
    TypeError,
  )
})
