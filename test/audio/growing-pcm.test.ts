import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { decode } from '../../src/audio/decode.ts'
import type { PcmExtent, PcmFile } from '../../src/audio/growing-pcm.ts'
import { FFMPEG, openObedientFfmpeg, openWorkbench, tone } from './recordings.ts'

const NEVER = new AbortController().signal
const NOTHING: PcmExtent = { samples: 0, isComplete: false }

/** A long recording whose first 40 s are decoded; the rest comes when it is ordered. */
async function longRecording({ maxSeconds = 3600, signal = NEVER } = {}) {
  const bench = await openWorkbench()
  onTestFinished(() => bench[Symbol.asyncDispose]())
  const { ffmpeg, inputPath, order, ...obedient } = await openObedientFfmpeg(bench)
  onTestFinished(() => obedient[Symbol.asyncDispose]())
  const pcm = await decode(ffmpeg, inputPath, { directory: bench.spool, maxSeconds }, signal)
  onTestFinished(() => pcm[Symbol.asyncDispose]())
  return { bench, pcm, order }
}

const seconds = ({ samples }: PcmExtent) => samples / 16_000

/** Resolves when nothing is announced any more: all is there, or the rest will never come. */
async function announcements(pcm: PcmFile, first = pcm.extent): Promise<PcmExtent[]> {
  const extents = [first]
  for (let known = first; !known.isComplete; ) {
    known = await pcm.grownBeyond(known, NEVER)
    extents.push(known)
  }
  return extents
}

test('a long recording can be read before it is decoded to its end', async () => {
  const { pcm, order } = await longRecording()

  expect(seconds(pcm.extent)).toBeGreaterThanOrEqual(35)
  expect(pcm.extent.isComplete).toBe(false)
  await order(20)
  await order('end')

  const extents = await announcements(pcm)
  expect(extents.at(-1)).toEqual({ samples: 60 * 16_000, isComplete: true })
  expect((await stat(pcm.path)).size).toBe(60 * 32_000)
  await pcm.ended
})

test('what is announced only grows, in steps of ten seconds, and the last of it is all', async () => {
  const { pcm, order } = await longRecording()
  const announced = announcements(pcm)
  for (let step = 0; step < 50; step++) await order(2)
  await order('end')

  const extents = await announced

  expect(seconds(extents.at(-1) ?? NOTHING)).toBe(140)
  expect(extents.map(({ isComplete }) => isComplete).indexOf(true)).toBe(extents.length - 1)
  for (const [index, extent] of extents.slice(1, -1).entries()) {
    expect(seconds(extent) - seconds(extents[index] ?? NOTHING)).toBeGreaterThanOrEqual(10)
  }
})

test('less than ten seconds more are not worth a word', async () => {
  const { pcm, order } = await longRecording()
  await expect.poll(() => seconds(pcm.extent)).toBe(40)
  let announced: PcmExtent | undefined
  const next = pcm.grownBeyond(pcm.extent, NEVER).then((extent) => (announced = extent))

  await order(4)
  await expect.poll(() => seconds(pcm.extent)).toBe(44)
  expect(announced).toBeUndefined()

  await order(6)
  expect(seconds(await next)).toBe(50)
})

test('what has grown before anybody asked is told at once', async () => {
  const { pcm, order } = await longRecording()
  await order(20)
  await expect.poll(() => seconds(pcm.extent)).toBe(60)

  expect(seconds(await pcm.grownBeyond({ samples: 40 * 16_000, isComplete: false }, NEVER))).toBe(60)
})

test('a half-written sample is not announced', async () => {
  const { pcm } = await longRecording()
  await expect.poll(() => seconds(pcm.extent)).toBe(40)

  await writeFile(pcm.path, Buffer.alloc(20 * 32_000 + 1), { flag: 'a' })

  expect((await pcm.grownBeyond(pcm.extent, NEVER)).samples).toBe(60 * 16_000)
})

test.each([
  ['breaks after its first minute', 'fail', 3600, 'invalid_audio', /could not be read as audio/],
  ['turns out to be longer than allowed', 'end', 59, 'audio_too_long', /longer than the 59 seconds/],
] as const)(
  'a recording that %s says so to all who wait for the rest',
  async (_what, last, maxSeconds, code, message) => {
    const { pcm, order, bench } = await longRecording({ maxSeconds })
    await order(20)
    await expect.poll(() => seconds(pcm.extent)).toBe(60)
    const waiting = pcm.grownBeyond(pcm.extent, NEVER)

    await Promise.all([
      expect(waiting).rejects.toMatchObject({ code, param: 'file', message: expect.stringMatching(message) }),
      order(last),
    ])

    expect(pcm.broken.reason).toMatchObject({ code })
    await expect(pcm.grownBeyond(NOTHING, NEVER)).rejects.toMatchObject({ code })
    await pcm.ended
    await pcm[Symbol.asyncDispose]()
    expect(await bench.spooled()).toEqual([])
  },
)

test('letting go of a recording ends its ffmpeg and leaves nothing', async () => {
  const { pcm, bench } = await longRecording()

  await pcm[Symbol.asyncDispose]()

  expect(pcm.broken.aborted).toBe(true)
  expect(await bench.spooled()).toEqual([])
})

test('a client that hangs up ends the ffmpeg of its recording', async () => {
  const client = new AbortController()
  const { pcm } = await longRecording({ signal: client.signal })

  client.abort(new Error('the client hung up'))

  await pcm.ended
  expect(pcm.broken.reason).toEqual(new Error('the client hung up'))
})

test('who stops waiting for more hears why, and the recording goes on', async () => {
  const { pcm, order } = await longRecording()
  const reader = new AbortController()
  const waiting = pcm.grownBeyond(pcm.extent, reader.signal)

  reader.abort(new Error('enough'))

  await expect(waiting).rejects.toThrow('enough')
  await order('end')
  expect((await announcements(pcm)).at(-1)).toEqual({ samples: 40 * 16_000, isComplete: true })
})

test('the real ffmpeg decodes ten minutes while they are read, and every sample arrives', async () => {
  const bench = await openWorkbench()
  onTestFinished(() => bench[Symbol.asyncDispose]())
  const path = await bench.make(...tone(600), 'tone.mp3')
  await using pcm = await decode(FFMPEG, path, { directory: bench.spool, maxSeconds: 3600 }, NEVER)

  const extents = await announcements(pcm)

  const bytes = await readFile(pcm.path)
  expect(extents.at(-1)).toEqual({ samples: bytes.length / 2, isComplete: true })
  expect(Math.abs(bytes.length / 32_000 - 600)).toBeLessThan(0.1)
  expect(await bench.spooled()).toEqual([expect.stringContaining('.pcm')])
  expect(pcm.path).toBe(join(bench.spool, (await bench.spooled())[0] ?? ''))
})
