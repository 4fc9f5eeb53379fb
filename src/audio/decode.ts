/**
 * Anything that ffmpeg can read becomes 16 kHz mono s16le PCM on disk. It decides what is refused, and in which words;
 * it knows neither HTTP nor what becomes of the samples.
 */
import { randomUUID } from 'node:crypto'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../failure.ts'
import type { Ffmpeg } from './ffmpeg.ts'
import { type FfmpegEnd, runFfmpeg } from './run-ffmpeg.ts'

/** 16,000 samples a second, two bytes each. */
const BYTES_PER_SECOND = 32_000
const SHORTEST_SECONDS = 0.1

/** Decoded audio on disk, which is deleted with this object. */
export interface PcmFile extends AsyncDisposable {
  readonly path: string
  readonly durationSeconds: number
}

export interface DecodeLimits {
  /** Where the PCM file is made. */
  readonly directory: string
  readonly maxSeconds: number
}

/**
 * Decodes the first audio track. The file's name means nothing; its contents decide.
 *
 * @throws Failure with a code for what is wrong with the file; the signal's reason. Nothing is left on disk then.
 */
export async function decode(
  ffmpeg: Ffmpeg,
  path: string,
  limits: DecodeLimits,
  signal: AbortSignal,
): Promise<PcmFile> {
  signal.throwIfAborted()
  if ((await stat(path)).size === 0) {
    throw new Failure('empty_file', 'The file is empty: it has no bytes.', { param: 'file' })
  }
  const outputPath = join(limits.directory, `${randomUUID()}.pcm`)
  await using undo = new AsyncDisposableStack()
  undo.defer(() => rm(outputPath, { force: true }))

  const end = await runFfmpeg(ffmpeg, { inputPath: path, outputPath, maxSeconds: limits.maxSeconds }, signal)
  if (end.exitCode !== 0) throw refusal(end)
  // A header's duration may be a lie or missing; the bytes that came out are neither.
  const durationSeconds = (await stat(outputPath)).size / BYTES_PER_SECOND
  refuseWrongLength(durationSeconds, limits.maxSeconds)

  const kept = undo.move()
  return { path: outputPath, durationSeconds, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

function refusal({ exitCode, signal, stderr }: FfmpegEnd): Failure {
  const cause = new Error(`ffmpeg ended with ${signal ?? `code ${exitCode}`}: ${stderr}`)
  const about = { param: 'file', cause }
  if (stderr.includes('No space left on device')) {
    return new Failure('internal_error', 'The server has no room left for decoded audio.', { cause })
  }
  if (stderr.includes('matches no streams')) {
    return new Failure('no_audio_track', 'The file has no sound: it contains no audio track.', about)
  }
  // prlimit's limits end ffmpeg with a signal: such a file is made to exhaust us, or as good as.
  if (signal !== undefined) {
    return new Failure('invalid_audio', 'The file takes too much memory or time to decode.', about)
  }
  return new Failure(
    'invalid_audio',
    'The file could not be read as audio. Send a complete flac, mp3, mp4, mpeg, mpga, m4a, ogg, wav or webm file.',
    about,
  )
}

function refuseWrongLength(durationSeconds: number, maxSeconds: number): void {
  if (durationSeconds < SHORTEST_SECONDS) {
    throw new Failure(
      'audio_too_short',
      `The recording is too short: ${durationSeconds} seconds, at least ${SHORTEST_SECONDS} are needed.`,
      { param: 'file' },
    )
  }
  if (durationSeconds > maxSeconds) {
    throw new Failure(
      'audio_too_long',
      `The recording is longer than the ${maxSeconds} seconds that are allowed here.`,
      { param: 'file' },
    )
  }
}
