// A child that has gone mad: whatever it writes is a message or an error, and never anything else.
import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ZodError } from 'zod'
import { formatJsonLine, readJsonLines } from '../../src/engine/json-lines.ts'
import { WorkerMessage } from '../../src/engine/protocol.ts'

const golden = (await readFile(new URL('../protocol/messages.jsonl', import.meta.url), 'utf8'))
  .trim()
  .split('\n')

async function* inPieces(bytes: Uint8Array, lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, piece = 0; at < bytes.length; piece++) {
    const length = lengths[piece % lengths.length] ?? bytes.length
    yield bytes.subarray(at, at + length)
    at += length
  }
}

const lengths = fc.array(fc.integer({ min: 1, max: 50 }))

/** What was understood until the line that was not, and why that was not. */
async function understood(bytes: Uint8Array, cuts: readonly number[]) {
  const messages: unknown[] = []
  try {
    for await (const value of readJsonLines(inPieces(bytes, cuts))) messages.push(WorkerMessage.parse(value))
  } catch (error) {
    const isExpected = [SyntaxError, TypeError, RangeError, ZodError].some((kind) => error instanceof kind)
    if (!isExpected) throw error
    return { messages, error: (error as Error).name }
  }
  return { messages, error: undefined }
}

test('any bytes are lines or an error, and understood alike wherever they are cut', async () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .constantFrom('{"kind":', '}', '\n', '[', 'null', '"\\ud800"', '1e999', '{"__proto__":1}\n')
      .map((text) => Buffer.from(text)),
    fc.constantFrom(...golden).map((line) => Buffer.from(`${line}\n`)),
  )
  const isStable = async (pieces: Uint8Array[], cuts: number[]) => {
    const bytes = Buffer.concat(pieces)
    const whole = await understood(bytes, [])
    const inParts = await understood(bytes, cuts)
    // Where a chunk holds several lines and a bad byte, the lines before it may be lost with it; no others are made up.
    expect(whole.messages).toEqual(inParts.messages.slice(0, whole.messages.length))
    expect(inParts.error === undefined).toBe(whole.error === undefined)
  }

  await fc.assert(fc.asyncProperty(fc.array(noise, { maxLength: 8 }), lengths, isStable), {
    seed: 2026,
    numRuns: 500,
  })
})

test('any value comes back through a line', async () => {
  const comesBack = async (values: unknown[], cuts: number[]) => {
    const bytes = Buffer.from(values.map(formatJsonLine).join(''))
    expect(await Array.fromAsync(readJsonLines(inPieces(bytes, cuts)))).toEqual(values)
  }

  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown)),
      lengths,
      comesBack,
    ),
    { seed: 2026, numRuns: 300 },
  )
})

test('a message with one field changed is refused, or means what it says', async () => {
  const change = (line: string, value: unknown, at: number) => {
    const message = JSON.parse(line) as Record<string, unknown>
    const names = Object.keys(message)
    message[names[at % names.length] ?? 'kind'] = value
    const parsed = WorkerMessage.safeParse(message)
    expect(parsed.success ? parsed.data : message).toEqual(message)
  }

  fc.assert(fc.property(fc.constantFrom(...golden), fc.jsonValue(), fc.nat(20), change), {
    seed: 2026,
    numRuns: 1000,
  })
})
