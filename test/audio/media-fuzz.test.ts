// Real recordings whose bytes were changed: whatever comes of them is a refusal or a recording within the limits, and soon.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { decode } from '../../src/audio/decode.ts'
import { Failure } from '../../src/failure.ts'
import { FFMPEG, openWorkbench } from './recordings.ts'

const NEVER = new AbortController().signal
const MAX_SECONDS = 60
const SEED = 2026
/** Of a damaged file: each is some tenths of a second of work. */
const RUNS = 12

interface Damage {
  /** Where, as a part of the file: containers have their say at both ends. */
  readonly at: number
  readonly bytes: Uint8Array
  readonly kind: 'overwrite' | 'insert' | 'cut' | 'repeat'
}

const nearAnEnd = fc.oneof(
  fc.double({ min: 0, max: 0.02, noNaN: true }),
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.double({ min: 0.9, max: 1, noNaN: true }),
)
/** Sizes and counts that parsers have stumbled over, and anything else. */
const bytes = fc.oneof(
  fc.constantFrom(
    Uint8Array.of(0xff, 0xff, 0xff, 0xff),
    Uint8Array.of(0, 0, 0, 0),
    Uint8Array.of(0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
    Uint8Array.of(0, 0, 0, 1),
  ),
  fc.uint8Array({ minLength: 1, maxLength: 16 }),
)
const damages: fc.Arbitrary<Damage[]> = fc.array(
  fc.record({
    at: nearAnEnd,
    bytes,
    kind: fc.constantFrom('overwrite', 'overwrite', 'overwrite', 'insert', 'cut', 'repeat'),
  }),
  { minLength: 1, maxLength: 6 },
)

function damaged(content: Buffer, { at, bytes, kind }: Damage): Buffer {
  const offset = Math.min(content.length, Math.floor(at * content.length))
  const [before, after] = [content.subarray(0, offset), content.subarray(offset)]
  if (kind === 'cut') return before
  if (kind === 'repeat') return Buffer.concat([content, after])
  return Buffer.concat([before, bytes, kind === 'insert' ? after : after.subarray(bytes.length)])
}

test.each(['da.m4a', 'da.mp4', 'da.ogg', 'da.webm', 'da.mp3', 'da.flac'])(
  `a damaged %s ends in order (seed ${SEED})`,
  { timeout: 60_000 },
  async (name) => {
    const bench = await openWorkbench()
    onTestFinished(() => bench[Symbol.asyncDispose]())
    const original = await readFile(new URL(name, import.meta.url))
    const path = join(bench.directory, name)
    const outcomeOf = async () => {
      try {
        const limits = { directory: bench.spool, maxSeconds: MAX_SECONDS }
        await using pcm = await decode(FFMPEG, path, limits, NEVER)
        await pcm.ended
        pcm.broken.throwIfAborted()
        return pcm.extent
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        return error
      }
    }
    const isTakenOrRefused = async (changes: Damage[]) => {
      await writeFile(path, changes.reduce(damaged, original))

      const outcome = await outcomeOf()

      if (outcome instanceof Failure) {
        return outcome.status === 400 && outcome.param === 'file' && (await bench.spooled()).length === 0
      }
      const isWithinLimits = outcome.isComplete && outcome.samples <= MAX_SECONDS * 16_000
      return isWithinLimits && (await bench.spooled()).length === 0
    }

    const outcome = await fc.check(fc.asyncProperty(damages, isTakenOrRefused), {
      seed: SEED,
      numRuns: RUNS,
      endOnFailure: true,
    })

    expect(fc.defaultReportMessage(outcome)).toBeUndefined() // it says what has failed
  },
)
