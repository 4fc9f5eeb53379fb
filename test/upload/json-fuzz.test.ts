// JSON bodies of all kinds, damaged and cut anywhere: each is read or refused, and the same however its bytes arrive.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { readJson } from '../../src/upload/json-body.ts'
import { SpooledFile } from '../../src/upload/spooled-file.ts'

const SEED = 2026
const CLAIM = { take: async () => {}, [Symbol.dispose]: () => {} }

let directory: string
let files = 0
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hviske-json-'))
})
afterAll(() => rm(directory, { recursive: true }))

/** @param cuts where it is cut, as parts of the whole. */
function pieces(body: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [
    0,
    ...cuts.map((cut) => Math.floor(cut * body.length)).toSorted((a, b) => a - b),
    body.length,
  ]
  return places.slice(1).map((place, index) => body.subarray(places[index], place))
}

async function* arriving(chunks: readonly Buffer[]) {
  yield* chunks
}

async function outcomeOf(chunks: readonly Buffer[]) {
  await using file = await SpooledFile.create(join(directory, String(files++)), CLAIM)
  try {
    const { fields } = await readJson(arriving(chunks), file)
    return { fields: [...fields], sizeBytes: file.sizeBytes, sha256: file.sha256() }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return { status: error.status, code: error.code }
  }
}

const audio = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 80 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  fc.uint8Array({ minLength: 1, maxLength: 80 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
  fc.constant('data:audio/wav;base64,UklGRg=='),
  fc.string(),
)
const member = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.oneof(fc.string(), fc.integer()), { maxLength: 4 }),
  fc.jsonValue({ maxDepth: 3 }),
)
const sensible = fc
  .tuple(
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('model', 'language', '__proto__')), member),
    audio,
  )
  .map(([fields, data]) => JSON.stringify({ ...fields, input_audio: { data, format: 'wav' } }))
const body = fc
  .tuple(
    fc.oneof({ weight: 4, arbitrary: sensible }, { weight: 1, arbitrary: fc.json() }),
    fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255)), { maxLength: 2 }),
  )
  .map(([text, damages]) => {
    const bytes = Buffer.from(text)
    for (const [at, byte] of damages) bytes[Math.min(bytes.length - 1, Math.floor(at * bytes.length))] = byte
    return bytes
  })
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 })

test(`a JSON body is read or refused, however it is damaged and cut (seed ${SEED})`, async () => {
  let read = 0
  const isReadOrRefused = async (bytes: Buffer, where: number[]) => {
    const whole = await outcomeOf([bytes])

    expect(await outcomeOf(pieces(bytes, where))).toEqual(whole)
    expect('status' in whole ? whole.status : 'read').toSatisfy((end) => end === 400 || end === 'read')
    if (!('status' in whole)) read++
  }

  await fc.assert(fc.asyncProperty(body, cuts, isReadOrRefused), { seed: SEED, numRuns: 400 })

  expect(read).toBeGreaterThan(50) // what is always refused proves little
})
