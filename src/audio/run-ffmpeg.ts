/**
 * One run of ffmpeg on a stranger's file, hardened: what it may open, how much it may use, and how it is ended.
 * Every flag answers an attack or a loss that was seen; `test/audio/decode.test.ts` shows most of them.
 */
import { open } from 'node:fs/promises'
import { availableParallelism, constants } from 'node:os'
import { execa } from 'execa'
import type { Ffmpeg } from './ffmpeg.ts'
import { enclosure, processorSeconds } from './isolation.ts'
import { TIMELINE_FILTER } from './timeline.ts'

export interface FfmpegJob {
  readonly inputPath: string
  readonly outputPath: string
  readonly maxSeconds: number
}

export interface FfmpegEnd {
  readonly exitCode: number | undefined
  readonly signal: string | undefined
  /** Somebody else ended it: the kernel for want of memory, an operator, whoever ends all processes of a service. It says nothing of the file. */
  readonly isKilledFromOutside: boolean
  /** The end of what it said. */
  readonly stderr: string
}

const MIB = 1024 ** 2
const KEPT_STDERR_CHARACTERS = 4096
/** Whoever takes ffmpeg over shall not find the clients' keys, nor that of the Hugging Face Hub. */
const NO_SECRETS = { API_KEYS: '', HF_TOKEN: '', HUGGING_FACE_HUB_TOKEN: '' }
/** ffmpeg's own code when a signal has asked it to end; other failures that give it say why. */
const ASKED_TO_END = 255

/** @throws the signal's reason, once ffmpeg is dead; Error when ffmpeg cannot be started. */
export async function runFfmpeg(ffmpeg: Ffmpeg, job: FfmpegJob, signal: AbortSignal): Promise<FfmpegEnd> {
  signal.throwIfAborted()
  const enclosed = enclosure(ffmpeg.isolation, ffmpeg.path, job)
  const [file = ffmpeg.path, ...args] = [...enclosed, ffmpeg.path, ...ffmpegArguments(ffmpeg, job)]
  // Only a file that is there can be shown to ffmpeg alone, without the directory around it.
  await (await open(job.outputPath, 'a', 0o600)).close()
  signal.throwIfAborted() // from here on the listener below hears of it
  const startedMs = performance.now()
  const child = execa(file, args, {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
    buffer: false,
    reject: false,
    env: NO_SECRETS,
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
    const { exitCode } = result
    const endedBy = result.signal ?? signalToldBy(ffmpeg, exitCode)
    const seconds = (performance.now() - startedMs) / 1000
    const wasAsked = endedBy === undefined && exitCode === ASKED_TO_END && stderr === ''
    const isKilledFromOutside = (endedBy === 'SIGKILL' && !mayHaveUsedUp(job, seconds)) || wasAsked
    return { exitCode, signal: endedBy, isKilledFromOutside, stderr }
  } finally {
    process.off('exit', kill)
    signal.removeEventListener('abort', kill)
  }
}

/** Of its limits, only that of processor time kills; and in so many seconds it cannot have used more than all cores have. */
function mayHaveUsedUp({ maxSeconds }: FfmpegJob, seconds: number): boolean {
  return seconds * availableParallelism() >= processorSeconds(maxSeconds)
}

/** bubblewrap tells of a signal as shells do. ffmpeg's own codes may be as high, and mean something else. */
function signalToldBy({ isolation }: Ffmpeg, exitCode = 0): string | undefined {
  if (isolation !== 'bubblewrap') return undefined
  const [name] = Object.entries(constants.signals).find(([, number]) => number === exitCode - 128) ?? []
  return name
}

function ffmpegArguments({ demuxers, decoders }: Ffmpeg, job: FfmpegJob): string[] {
  return [
    ['-nostdin', '-hide_banner', '-loglevel', 'error', '-nostats', '-max_alloc', String(256 * MIB)],
    ['-protocol_whitelist', 'file', '-format_whitelist', demuxers.join(',')],
    ['-codec_whitelist', decoders.join(','), '-max_streams', '64'],
    ['-probesize', '20M', '-analyzeduration', '20M', '-threads', '1', '-i', `file:${job.inputPath}`],
    ['-map', '0:a:0', '-vn', '-sn', '-dn', '-map_metadata', '-1'],
    // Silence where the timestamps have a gap or start late: otherwise subtitles drift by as much.
    ['-af', TIMELINE_FILTER],
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
