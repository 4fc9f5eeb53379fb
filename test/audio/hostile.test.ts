import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { decode } from '../../src/audio/decode.ts'
import { runFfmpeg } from '../../src/audio/run-ffmpeg.ts'
import { Failure } from '../../src/failure.ts'
import { HOSTILE, STRANGE, type WavClaims, wav } from './hostile-files.ts'
import { FFMPEG, openWorkbench, picture, tone, type Workbench } from './recordings.ts'

const NEVER = new AbortController().signal
const MAX_SECONDS = 4000

async function workbench(): Promise<Workbench> {
  const bench = await openWorkbench()
  onTestFinished(() => bench[Symbol.asyncDispose]())
  return bench
}

/** To the end: what is wrong there is known only then. */
async function secondsOf(bench: Workbench, path: string): Promise<number> {
  await using pcm = await decode(FFMPEG, path, { directory: bench.spool, maxSeconds: MAX_SECONDS }, NEVER)
  await pcm.ended
  pcm.broken.throwIfAborted()
  return pcm.extent.samples / 16_000
}

test.each(HOSTILE)('%s is refused', async (_what, make, code) => {
  const bench = await workbench()
  await bench.make(...tone(1), 'secret.ts') // what some of them name
  const path = await make(bench)

  await expect(secondsOf(bench, path)).rejects.toMatchObject({ code, status: 400, param: 'file' })
  expect(await bench.spooled()).toEqual([])
})

test.each(STRANGE)('%s is heard whole', async (_what, make, seconds) => {
  const bench = await workbench()
  const path = await make(bench)

  expect(Math.abs((await secondsOf(bench, path)) - seconds)).toBeLessThan(0.3)
  expect(await bench.spooled()).toEqual([])
})

test('an mp4 that says its sound lies in another file does not get that file', async () => {
  const bench = await workbench()
  await bench.make(...tone(3), '-c:a', 'pcm_s16le', 'secret.mov')
  const path = await bench.make(...tone(1), '-c:a', 'pcm_s16le', 'references.mov')
  await writeFile(path, referringTo('secret.mov', await readFile(path)))

  const seconds = await secondsOf(bench, path).catch((error: unknown) => {
    if (!(error instanceof Failure) || error.code !== 'invalid_audio') throw error
    return 0
  })

  expect(seconds).toBeLessThan(1.1)
  expect(await bench.spooled()).toEqual([])
})

test('were a playlist opened in spite of all, it would reach no server', async () => {
  let visits = 0
  const server = createServer((socket) => {
    visits++
    socket.destroy()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const bench = await workbench()
  const inputPath = join(bench.directory, 'a.m3u8')
  const address = `http://127.0.0.1:${port}/a.ts`
  await writeFile(inputPath, `#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n${address}\n#EXT-X-ENDLIST\n`)
  const isolation = FFMPEG.isolation === 'none' ? 'none' : 'limits'
  const open = { ...FFMPEG, isolation, demuxers: [...FFMPEG.demuxers, 'hls'] } as const

  const outputPath = join(bench.spool, 'out.pcm')
  const { exitCode } = await runFfmpeg(open, { inputPath, outputPath, maxSeconds: 10 }, NEVER)

  expect(exitCode).not.toBe(0)
  expect(visits).toBe(0)
})

test('a video decoder is not even opened, and so neither are its holes (CVE-2026-8461 was in this one)', async () => {
  const bench = await workbench()
  const inputPath = await bench.make(...tone(1), ...picture(1), '-c:v', 'magicyuv', 'a.mkv')
  const outputPath = join(bench.spool, 'out.pcm')

  const { exitCode, stderr } = await runFfmpeg(FFMPEG, { inputPath, outputPath, maxSeconds: 10 }, NEVER)

  expect(exitCode).toBe(0)
  expect((await stat(outputPath)).size).toBeGreaterThan(31_000)
  expect(stderr).toContain('Codec (magicyuv) not on whitelist')
})

test('whatever a WAV header says, the answer is a refusal or a recording no longer than allowed', async () => {
  const bench = await workbench()
  const path = join(bench.directory, 'fuzz.wav')
  const header = fc.record({
    rate: fc.oneof(fc.constantFrom(0, 1, 7, 8000, 44_100, 0x7fff_ffff, 0xffff_ffff), fc.nat()),
    channels: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.nat(0xffff)),
    bits: fc.constantFrom(0, 1, 4, 8, 12, 16, 24, 32, 64, 255),
    format: fc.oneof(fc.constantFrom(1, 2, 3, 6, 7, 0x11, 0x31, 0x55, 0xfffe), fc.nat(0xffff)),
    claimedBytes: fc.oneof(fc.constantFrom(0, 1, 0x7fff_ffff, 0xffff_ffff), fc.nat()),
  })
  const isTakenOrRefused = async (claims: WavClaims, flips: [number, number][]) => {
    const content = wav({ samples: 4000, ...claims })
    for (const [at, byte] of flips) content.writeUInt8(byte, at)
    await writeFile(path, content)
    const outcome = await secondsOf(bench, path).catch((error: unknown) => {
      if (!(error instanceof Failure)) throw error
      return error
    })
    expect(outcome instanceof Failure ? outcome.status === 400 : outcome <= MAX_SECONDS).toBe(true)
    expect(await bench.spooled()).toEqual([])
  }

  await fc.assert(
    fc.asyncProperty(header, fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 3 }), isTakenOrRefused),
    { seed: 2026, numRuns: 60, endOnFailure: true },
  )
})

/** Makes the entry of a track's data reference, which says "in this file", say another. Its boxes grow by as much. */
function referringTo(name: string, content: Buffer): Buffer {
  const at = content.indexOf('url ', content.indexOf('dref')) - 4
  const entry = Buffer.concat([
    Buffer.alloc(4),
    Buffer.from('url \0\0\0\0', 'latin1'),
    Buffer.from(`${name}\0`),
  ])
  entry.writeUInt32BE(entry.length, 0)
  const grown = Buffer.concat([content.subarray(0, at), entry, content.subarray(at + 12)])
  for (const box of ['moov', 'trak', 'mdia', 'minf', 'dinf', 'dref']) {
    const size = grown.indexOf(box) - 4
    grown.writeUInt32BE(grown.readUInt32BE(size) + entry.length - 12, size)
  }
  return grown
}
