/**
 * Which ffmpeg runs here and what it may open. Looked at once, when the server starts;
 * how a recording is decoded with it is decided in `decode.ts`.
 */
import { existsSync, globSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import type { IsolationLevel } from './isolation.ts'
import { strongestIsolation } from './trial.ts'

export interface Ffmpeg {
  readonly path: string
  readonly version: string
  /** The containers it may open. Without the list, a playlist renamed `x.m4a` reads other users' files. */
  readonly demuxers: readonly string[]
  /** The decoders it may open: audio only. `-vn` does not keep it from running video decoders while it probes. */
  readonly decoders: readonly string[]
  /** How it is shut in: the strongest way that works on this machine. */
  readonly isolation: IsolationLevel
}

/** What people send. No playlists, no concat, no images, no devices, nothing that can name another file. */
const CONTAINERS = new Set(
  'wav w64 mp3 flac ogg aac mov matroska asf caf aiff amr au wv ape mpegts avi flv mpeg ac3 eac3 dts tta'.split(
    ' ',
  ),
)
const NEEDED_OPTIONS = ['-codec_whitelist', '-format_whitelist', '-protocol_whitelist', '-max_alloc']

export const NO_FFMPEG =
  'No ffmpeg was found. Install one (Debian and Ubuntu: apt install ffmpeg; macOS: brew install ffmpeg), ' +
  'or set FFMPEG_PATH to the one to use.'

/**
 * Takes FFMPEG_PATH, else the system's ffmpeg, which gets security updates, else one of the two that packages carry along.
 *
 * @throws Error that tells the operator what to do.
 */
export async function findFfmpeg(settings: {
  readonly ffmpegPath: string | undefined
  readonly pythonPath: string
}): Promise<Ffmpeg> {
  if (settings.ffmpegPath !== undefined) return chosenFfmpeg(settings.ffmpegPath)
  for (const path of ['ffmpeg', ...carriedAlong(settings.pythonPath)]) {
    const ffmpeg = await inspect(path).catch(() => undefined) // not there or not usable: the next one may be
    if (ffmpeg !== undefined) return ffmpeg
  }
  throw new Error(NO_FFMPEG)
}

async function chosenFfmpeg(path: string): Promise<Ffmpeg> {
  try {
    return await inspect(path)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    throw new Error(`FFMPEG_PATH=${path} cannot be used: ${why}`, { cause })
  }
}

/** The binary of the npm package ffmpeg-static, and that of PyPI's imageio-ffmpeg inside our virtual environment. */
function carriedAlong(pythonPath: string): string[] {
  const virtualEnvironment = dirname(dirname(pythonPath))
  const pattern = 'lib/python3*/site-packages/imageio_ffmpeg/binaries/ffmpeg-*'
  const fromPyPi = globSync(pattern, { cwd: virtualEnvironment }).map((path) =>
    join(virtualEnvironment, path),
  )
  return [...fromFfmpegStatic(), ...fromPyPi]
}

function fromFfmpegStatic(): string[] {
  try {
    const path: unknown = createRequire(import.meta.url)('ffmpeg-static')
    return typeof path === 'string' && existsSync(path) ? [path] : []
  } catch {
    return [] // an optional dependency that this installation does without
  }
}

async function inspect(path: string): Promise<Ffmpeg> {
  const ask = async (...args: string[]) => (await execa(path, ['-hide_banner', ...args])).stdout
  const [about, help, demuxers, decoders] = await Promise.all([
    execa(path, ['-version']),
    ask('-h', 'full'),
    ask('-demuxers'),
    ask('-decoders'),
  ])
  const missing = NEEDED_OPTIONS.find((option) => !help.includes(option))
  if (missing !== undefined)
    throw new Error(`it does not know ${missing}: too old to be given strangers' files`)
  const allowed = {
    demuxers: parseTable(demuxers, /^ D.{1,2} +(\w\S*)/).filter(isAllowedContainer),
    decoders: parseTable(decoders, /^ A\S{5} (\w\S*)/),
  }
  // An empty list would be no list, and so allow everything.
  if (allowed.demuxers.length === 0 || allowed.decoders.length === 0) {
    throw new Error('it does not say which formats it knows')
  }
  const version = /^ffmpeg version (\S+)/.exec(about.stdout)?.[1] ?? 'unknown'
  const ffmpeg = { path, version, ...allowed }
  return { ...ffmpeg, isolation: await strongestIsolation(ffmpeg) }
}

/** One demuxer may have several names (`mov,mp4,m4a,3gp,3g2,mj2`); the white-list knows it by each and by all. */
function isAllowedContainer(names: string): boolean {
  return names.split(',').some((name) => CONTAINERS.has(name))
}

function parseTable(table: string, row: RegExp): string[] {
  return table.split('\n').flatMap((line) => row.exec(line)?.[1] ?? [])
}
