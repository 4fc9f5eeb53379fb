/**
 * Anything that ffmpeg can read becomes 16 kHz mono s16le PCM on disk. It decides what is refused, and in which words,
 * and how much must be there before anybody is told; it knows neither HTTP nor what becomes of the samples.
 */
import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../failure.ts'
import type { Ffmpeg } from './ffmpeg.ts'
import { GrowingPcm, type PcmFile, SAMPLES_PER_SECOND } from './growing-pcm.ts'
import { ENCLOSURE_FAILED } from './isolation.ts'
import { type FfmpegEnd, type FfmpegJob, runFfmpeg } from './run-ffmpeg.ts'
import { watchGrowth } from './standstill.ts'
import { HOLE_NOT_FILLED } from './timeline.ts'

const BYTES_PER_SECOND = 2 * SAMPLES_PER_SECOND
const SHORTEST_SECONDS = 0.1
/** The engine's first window of 30 s, and some more to find the pause at which it ends. */
const FIRST_SECONDS = 35
/** ffmpeg is hundreds of times faster than the recording; whatever brings less than its own length in this time stands still. */
const PATIENCE_MS = 120_000

export interface DecodeLimits {
  /** Where the PCM file is made. */
  readonly directory: string
  readonly maxSeconds: number
  /** How long ffmpeg may take for as much sound. Tests have less. */
  readonly patienceMs?: number
}

/**
 * Decodes the first audio track. The file's name means nothing; its contents decide. Resolves when its first 35 s can
 * be read, or all of it; what turns out to be wrong later is the reason of the PCM's `broken`.
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
  const job = { inputPath: path, outputPath, maxSeconds: limits.maxSeconds }
  await using undo = new AsyncDisposableStack()
  const pcm = undo.use(
    new GrowingPcm(outputPath, (givenUp) =>
      writePcm(ffmpeg, job, limits.patienceMs ?? PATIENCE_MS, AbortSignal.any([signal, givenUp])),
    ),
  )
  await pcm.reaching(FIRST_SECONDS * SAMPLES_PER_SECOND, signal)
  undo.move()
  return pcm
}

/** @throws Failure when what ffmpeg wrote is not the whole of a recording that we take; the signal's reason. */
async function writePcm(
  ffmpeg: Ffmpeg,
  job: FfmpegJob,
  patienceMs: number,
  signal: AbortSignal,
): Promise<void> {
  const stoodStill = new AbortController()
  // Slower than the recording is played. The limit of processor time, a tenth of the longest recording, is hours away.
  const pace = { periodMs: patienceMs, bytes: (patienceMs / 1000) * BYTES_PER_SECOND }
  using _watch = watchGrowth(job.outputPath, pace, () => stoodStill.abort(takesTooMuch('ffmpeg stood still')))
  const end = await runFfmpeg(ffmpeg, job, AbortSignal.any([signal, stoodStill.signal]))
  // ffmpeg says so, and calls it a success, when it is the last bytes that the disk does not take.
  if (end.exitCode !== 0 || isDiskFull(end)) throw refusal(end)
  if (end.stderr.includes(HOLE_NOT_FILLED)) throw unreadable(end.stderr)
  // A header's duration may be a lie or missing; the bytes that came out are neither.
  refuseWrongLength((await stat(job.outputPath)).size / BYTES_PER_SECOND, job.maxSeconds)
}

function isDiskFull({ stderr }: FfmpegEnd): boolean {
  return stderr.includes('No space left on device') || stderr.includes('Disk quota exceeded')
}

function refusal(end: FfmpegEnd): Failure {
  const { exitCode, signal, isKilledFromOutside, stderr } = end
  const what = `ffmpeg ended with ${signal ?? `code ${exitCode}`}: ${stderr}`
  if (isDiskFull(end)) {
    return new Failure('insufficient_storage', 'The server has no room left for decoded audio.', {
      cause: new Error(what),
    })
  }
  if (stderr.includes('matches no streams')) {
    return new Failure('no_audio_track', 'The file has no sound: it contains no audio track.', {
      param: 'file',
      cause: new Error(what),
    })
  }
  if (isKilledFromOutside || ENCLOSURE_FAILED.test(stderr)) {
    const message = 'The decoding of this recording was ended from outside. Please try again.'
    return new Failure('engine_failed', message, { cause: new Error(what) })
  }
  // The limits end ffmpeg with a signal: such a file is made to exhaust us, or as good as.
  return signal === undefined ? unreadable(what) : takesTooMuch(what)
}

function takesTooMuch(what: string): Failure {
  const about = { param: 'file', cause: new Error(what) }
  return new Failure('invalid_audio', 'The file takes too much memory or time to decode.', about)
}

function unreadable(what: string): Failure {
  return new Failure(
    'invalid_audio',
    'The file could not be read as audio. Send a complete flac, mp3, mp4, mpeg, mpga, m4a, ogg, wav or webm file.',
    { param: 'file', cause: new Error(what) },
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
