/**
 * One run of ffmpeg on a stranger's file, hardened: what it may open, how much it may use, and how it is ended.
 * Every flag answers an attack or a loss that was seen; `test/audio/decode.test.ts` shows most of them.
 */
import { execa } from 'execa'
import type { Ffmpeg } from './ffmpeg.ts'

export interface FfmpegJob {
  readonly inputPath: string
  readonly outputPath: string
  readonly maxSeconds: number
}

export interface FfmpegEnd {
  readonly exitCode: number | undefined
  readonly signal: string | undefined
  /** The end of what it said. */
  readonly stderr: string
}

const MIB = 1024 ** 2
const KEPT_STDERR_CHARACTERS = 4096

/** @throws the signal's reason, once ffmpeg is dead; Error when ffmpeg cannot be started. */
export async function runFfmpeg(ffmpeg: Ffmpeg, job: FfmpegJob, signal: AbortSignal): Promise<FfmpegEnd> {
  signal.throwIfAborted() // from here on the listener below hears of it
  const [file = ffmpeg.path, ...args] = [...limits(ffmpeg, job), ffmpeg.path, ...ffmpegArguments(ffmpeg, job)]
  const child = execa(file, args, {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
    buffer: false,
    reject: false,
    // Its own process group: a Ctrl-C for the server must not end a decoding that may still finish.
    detached: true,
  })
  const kill = () => killGroup(child.pid)
  signal.addEventListener('abort', kill, { once: true })
  process.once('exit', kill)
  try {
    const [result, stderr] = await Promise.all([child, tail(child.stderr)])
    signal.throwIfAborted()
    if (child.pid === undefined) throw new Error(`${file} could not be started`, { cause: result.cause })
    return { exitCode: result.exitCode, signal: result.signal, stderr }
  } finally {
    process.off('exit', kill)
    signal.removeEventListener('abort', kill)
  }
}

/** prlimit replaces itself by ffmpeg, so that the process that we started is the one that decodes. */
function limits({ prlimitPath }: Ffmpeg, { maxSeconds }: FfmpegJob): string[] {
  if (prlimitPath === undefined) return []
  return [
    prlimitPath,
    `--as=${2048 * MIB}`,
    // One core decodes several hundred times faster than real time; ten times is somebody's trap.
    `--cpu=${60 + Math.ceil(maxSeconds / 10)}`,
    `--fsize=${32_000 * (maxSeconds + 1) + MIB}`,
    '--core=0',
    '--nofile=64',
  ]
}

function ffmpegArguments({ demuxers, decoders }: Ffmpeg, job: FfmpegJob): string[] {
  return [
    ['-nostdin', '-hide_banner', '-loglevel', 'error', '-nostats', '-max_alloc', String(256 * MIB)],
    ['-protocol_whitelist', 'file', '-format_whitelist', demuxers.join(',')],
    ['-codec_whitelist', decoders.join(','), '-max_streams', '64'],
    ['-probesize', '20M', '-analyzeduration', '20M', '-threads', '1', '-i', `file:${job.inputPath}`],
    ['-map', '0:a:0', '-vn', '-sn', '-dn', '-map_metadata', '-1'],
    // Silence where the timestamps have a gap or start late: otherwise subtitles drift by as much.
    ['-af', 'aresample=async=1:first_pts=0'],
    // One second more than allowed, so that "too long" can be told from "exactly as long as allowed".
    ['-t', String(job.maxSeconds + 1), '-ac', '1', '-ar', '16000', '-sample_fmt', 's16', '-f', 's16le'],
    ['-y', `file:${job.outputPath}`],
  ].flat()
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // it has ended in the meantime
  }
}

async function tail(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of stream) {
    text = (text + decoder.decode(chunk, { stream: true })).slice(-KEPT_STDERR_CHARACTERS)
  }
  return text.trim()
}
