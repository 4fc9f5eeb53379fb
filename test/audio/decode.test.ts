import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { decode } from '../../src/audio/decode.ts'
import type { Ffmpeg } from '../../src/audio/ffmpeg.ts'
import type { PcmFile } from '../../src/audio/growing-pcm.ts'
import { ISOLATION_LEVELS } from '../../src/audio/isolation.ts'
import { FFMPEG, openWorkbench, picture, tone, type Workbench } from './recordings.ts'

const NEVER = new AbortController().signal

async function workbench(): Promise<Workbench> {
  const bench = await openWorkbench()
  onTestFinished(() => bench[Symbol.asyncDispose]())
  return bench
}

function decodeAt(bench: Workbench, path: string, { maxSeconds = 3600, signal = NEVER } = {}) {
  return decode(FFMPEG, path, { directory: bench.spool, maxSeconds }, signal)
}

/** What is wrong with the end of a recording is known when we have got there. */
async function decodeToTheEnd(bench: Workbench, path: string, maxSeconds: number): Promise<void> {
  await using pcm = await decodeAt(bench, path, { maxSeconds })
  await pcm.ended
  pcm.broken.throwIfAborted()
}

/** How long a short recording is: it is all there when we get it. */
function secondsOf({ extent }: PcmFile): number {
  expect(extent.isComplete).toBe(true)
  return extent.samples / 16_000
}

/** Mean loudness of a stretch of the PCM; 0 is silence. */
function loudness(pcm: Buffer, startSeconds: number, endSeconds: number): number {
  const samples = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2).subarray(
    startSeconds * 16_000,
    endSeconds * 16_000,
  )
  return samples.reduce((sum, sample) => sum + Math.abs(sample), 0) / samples.length
}

test.each([
  ['wav', []],
  ['flac', []],
  ['mp3', []],
  ['m4a', []],
  ['ogg', ['-c:a', 'libvorbis']],
  ['webm', ['-c:a', 'libopus']],
  ['opus', ['-c:a', 'libopus']],
  ['mpga', ['-f', 'mp2']],
  ['mpeg', ['-f', 'mpeg']],
  ['aiff', []],
])('a .%s file becomes as much PCM as it has sound', async (extension, args) => {
  const bench = await workbench()
  const path = await bench.make(...tone(2), ...args, `tone.${extension}`)

  await using pcm = await decodeAt(bench, path)

  expect(Math.abs(secondsOf(pcm) - 2)).toBeLessThan(0.1)
  expect(loudness(await readFile(pcm.path), 0.5, 1.5)).toBeGreaterThan(1000)
})

test('a video becomes its sound, whatever its name says', async () => {
  const bench = await workbench()
  const path = await bench.make(...tone(2), ...picture(2), '-f', 'mp4', 'video.wav')

  await using pcm = await decodeAt(bench, path)

  expect(Math.abs(secondsOf(pcm) - 2)).toBeLessThan(0.1)
})

test.each([
  [
    'an mp3 with a cover picture',
    ['-map', '0:a', '-map', '1:v', '-c:v', 'png', '-disposition:v', 'attached_pic', 'cover.mp3'],
  ],
  ['a video whose decoder is refused', ['-c:v', 'magicyuv', 'magicyuv.mkv']],
  [
    'a fragmented mp4',
    ['-map', '0:a', '-movflags', 'empty_moov', '-frag_duration', '500000', 'fragmented.mp4'],
  ],
  ['what a browser records', ['-map', '0:a', '-c:a', 'libopus', '-live', '1', '-f', 'webm', 'recorder.webm']],
  ['a recording with two tracks', ['-map', '0:a', '-map', '0:a', 'tracks.mp4']],
  ['5.1 surround sound', ['-map', '0:a', '-ac', '6', '-c:a', 'ac3', 'surround.ac3']],
])('%s is heard whole', async (_what, args) => {
  const bench = await workbench()
  const path = await bench.make(...tone(2), ...picture(2), ...args)

  await using pcm = await decodeAt(bench, path)

  expect(Math.abs(secondsOf(pcm) - 2)).toBeLessThan(0.1)
  expect(loudness(await readFile(pcm.path), 0.5, 1.5)).toBeGreaterThan(500)
})

test('a WAV that was streamed, and so does not know its length, is heard whole', async () => {
  const bench = await workbench()
  const path = await bench.make(...tone(2), '-bitexact', 'streamed.wav')
  const bytes = await readFile(path)
  bytes.writeUInt32LE(0xffff_ffff, 4)
  bytes.writeUInt32LE(0xffff_ffff, 40)
  await writeFile(path, bytes)

  await using pcm = await decodeAt(bench, path)

  expect(secondsOf(pcm)).toBe(2)
})

test.each(ISOLATION_LEVELS.slice(ISOLATION_LEVELS.indexOf(FFMPEG.isolation)))(
  'a machine that allows no more than %s decodes the same',
  async (isolation) => {
    const bench = await workbench()
    const path = await bench.make(...tone(1), 'tone.wav')
    const limits = { directory: bench.spool, maxSeconds: 60 }

    await using pcm = await decode({ ...FFMPEG, isolation }, path, limits, NEVER)

    expect(secondsOf(pcm)).toBe(1)
  },
)

test('stereo at 48 kHz becomes mono at 16 kHz', async () => {
  const bench = await workbench()
  const path = await bench.make(...tone(1), '-ac', '2', '-ar', '48000', 'stereo.wav')

  await using pcm = await decodeAt(bench, path)

  expect((await readFile(pcm.path)).length).toBe(32_000)
  expect(secondsOf(pcm)).toBe(1)
})

test('the PCM is deleted when it is let go', async () => {
  const bench = await workbench()
  const path = await bench.make(...tone(1), 'tone.wav')
  const pcm = await decodeAt(bench, path)
  expect(await bench.spooled()).toHaveLength(1)

  await pcm[Symbol.asyncDispose]()

  expect(await bench.spooled()).toEqual([])
})

test('sound that starts late in a video keeps its place', async () => {
  const bench = await workbench()
  const path = await bench.make(
    '-itsoffset',
    '1.5',
    ...tone(1),
    ...picture(3),
    '-map',
    '0:a',
    '-map',
    '1:v',
    'late.mp4',
  )

  await using pcm = await decodeAt(bench, path)

  const samples = await readFile(pcm.path)
  expect(Math.abs(secondsOf(pcm) - 2.5)).toBeLessThan(0.1)
  expect(loudness(samples, 0, 1.3)).toBeLessThan(10)
  expect(loudness(samples, 1.7, 2.3)).toBeGreaterThan(1000)
})

test.each([
  [
    'text that is called .mp3',
    'letter.mp3',
    Buffer.from('Dear server, this is not music.\n'.repeat(99)),
    'invalid_audio',
  ],
  [
    'random bytes that are called .wav',
    'noise.wav',
    Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) % 251)),
    'invalid_audio',
  ],
  ['a file without bytes', 'nothing.mp3', Buffer.alloc(0), 'empty_file'],
])('%s is refused', async (_what, name, bytes, code) => {
  const bench = await workbench()
  const path = join(bench.directory, name)
  await writeFile(path, bytes)

  await expect(decodeAt(bench, path)).rejects.toMatchObject({ code, status: 400, param: 'file' })
  expect(await bench.spooled()).toEqual([])
})

test.each([
  [
    'a picture that is called .mp3',
    [...picture(1), '-frames:v', '1', '-f', 'apng', 'picture.mp3'],
    'invalid_audio',
  ],
  ['a video without sound', [...picture(1), 'silent.mp4'], 'no_audio_track'],
  ['a twentieth of a second', [...tone(0.05), 'short.wav'], 'audio_too_short'],
  ['a WAV header without samples', [...tone(1), '-t', '0', 'header.wav'], 'audio_too_short'],
])('%s is refused', async (_what, args, code) => {
  const bench = await workbench()
  const path = await bench.make(...args)

  await expect(decodeAt(bench, path)).rejects.toMatchObject({ code, status: 400, param: 'file' })
  expect(await bench.spooled()).toEqual([])
})

test.each([
  ['an HLS playlist', '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.ts\n#EXT-X-ENDLIST\n'],
  ['an ffconcat script', 'ffconcat version 1.0\nfile secret.ts\n'],
])('%s that is called .m4a does not read the file that it names', async (_what, playlist) => {
  const bench = await workbench()
  await bench.make(...tone(1), 'secret.ts')
  const path = join(bench.directory, 'harmless.m4a')
  await writeFile(path, playlist)

  await expect(decodeAt(bench, path)).rejects.toMatchObject({ code: 'invalid_audio' })
  expect(await bench.spooled()).toEqual([])
})

test('a recording as long as allowed is taken', async () => {
  const bench = await workbench()
  const path = await bench.make(...tone(2), 'tone.wav')

  await using pcm = await decodeAt(bench, path, { maxSeconds: 2 })

  expect(secondsOf(pcm)).toBe(2)
})

test('a longer recording is refused, and the limit is named', async () => {
  const bench = await workbench()
  const path = await bench.make(...tone(2), 'tone.wav')

  await expect(decodeAt(bench, path, { maxSeconds: 1 })).rejects.toMatchObject({
    code: 'audio_too_long',
    message: expect.stringContaining('1 seconds'),
  })
  expect(await bench.spooled()).toEqual([])
})

test('a small file that claims to last for days is stopped early', async () => {
  const bench = await workbench()
  const path = await bench.make(...tone(10), 'bomb.wav')
  const bytes = await readFile(path)
  bytes.writeUInt32LE(1, 24) // its sample rate: one sample a second
  await writeFile(path, bytes)

  await expect(decodeToTheEnd(bench, path, 60)).rejects.toMatchObject({ code: 'audio_too_long' })
  expect(await bench.spooled()).toEqual([])
})

/** Writes a byte, and then stands still together with a child of its own, as ffmpeg would if it could. */
async function standstill(bench: Workbench): Promise<Ffmpeg> {
  const path = join(bench.directory, 'standing-ffmpeg')
  await writeFile(path, '#!/bin/sh\nfor last; do :; done\nprintf x > "${last#file:}"\nsleep 600 & wait\n', {
    mode: 0o755,
  })
  return { ...FFMPEG, path, isolation: 'none' }
}

test('giving up ends ffmpeg and whatever it started, and leaves nothing', async () => {
  const bench = await workbench()
  const path = await bench.make(...tone(1), 'tone.wav')
  const client = new AbortController()
  const limits = { directory: bench.spool, maxSeconds: 60 }
  const decoding = decode(await standstill(bench), path, limits, client.signal)
  const written = async () => {
    const [name = ''] = await bench.spooled()
    return readFile(join(bench.spool, name), 'utf8').catch(() => '')
  }
  await expect.poll(written, { timeout: 20_000, interval: 5 }).toBe('x')

  client.abort(new Error('the client hung up'))

  await expect(decoding).rejects.toThrow('the client hung up')
  expect(await bench.spooled()).toEqual([])
})

test('an ffmpeg that stands still is ended, and its file refused', async () => {
  const bench = await workbench()
  const path = await bench.make(...tone(1), 'tone.wav')
  const limits = { directory: bench.spool, maxSeconds: 60, patienceMs: 100 }

  await expect(decode(await standstill(bench), path, limits, NEVER)).rejects.toMatchObject({
    code: 'invalid_audio',
    message: expect.stringContaining('too much memory or time'),
  })
  expect(await bench.spooled()).toEqual([])
})

test('who has given up before starts nothing', async () => {
  const bench = await workbench()

  await expect(decodeAt(bench, '/nowhere', { signal: AbortSignal.abort(new Error('gone')) })).rejects.toThrow(
    'gone',
  )
})
