// Makes recordings with ffmpeg itself, in a directory that the test deletes.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { findFfmpeg } from '../../src/audio/ffmpeg.ts'

export const FFMPEG = await findFfmpeg({ ffmpegPath: undefined, pythonPath: '.venv/bin/python' })

export interface Workbench extends AsyncDisposable {
  /** Where inputs are made. */
  readonly directory: string
  /** Where PCM may appear; must be empty in the end. */
  readonly spool: string
  /** Runs ffmpeg; the last argument is the name of the file to make. */
  make(...args: string[]): Promise<string>
  spooled(): Promise<string[]>
}

export async function openWorkbench(): Promise<Workbench> {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-audio-'))
  const spool = await mkdtemp(join(tmpdir(), 'hviske-spool-'))
  return {
    directory,
    spool,
    make: async (...args) => {
      const path = join(directory, args.pop() ?? '')
      await execa(FFMPEG.path, ['-nostdin', '-loglevel', 'error', '-y', ...args, path])
      return path
    },
    spooled: () => readdir(spool),
    [Symbol.asyncDispose]: async () => {
      await rm(directory, { recursive: true })
      await rm(spool, { recursive: true })
    },
  }
}

export const tone = (seconds: number) => ['-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`]
export const picture = (seconds: number) => [
  '-f',
  'lavfi',
  '-i',
  `testsrc=size=64x64:rate=5:duration=${seconds}`,
]
