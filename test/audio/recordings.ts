// Makes recordings with ffmpeg itself, in a directory that the test deletes.
import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { type Ffmpeg, findFfmpeg } from '../../src/audio/ffmpeg.ts'

export const FFMPEG = await findFfmpeg({ ffmpegPath: undefined, pythonPath: '.venv/bin/python' })

/** A part of every system, and so of no package. */
const MKFIFO = 'mkfifo'

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

export interface ObedientFfmpeg extends AsyncDisposable {
  readonly ffmpeg: Ffmpeg
  /** A file for it to be given; it does not look at it. */
  readonly inputPath: string
  /** Seconds to write; or that the recording ends here, well or badly. */
  readonly order: (order: number | 'end' | 'fail') => Promise<void>
}

/** Stands in for an ffmpeg in the middle of a long file: writes 40 s, then what it is ordered to. */
export async function openObedientFfmpeg({ directory }: Workbench): Promise<ObedientFfmpeg> {
  const path = join(directory, 'obedient-ffmpeg')
  const orders = join(directory, 'orders')
  const inputPath = join(directory, 'long.wav')
  await execa(MKFIFO, [orders])
  await writeFile(inputPath, 'anything')
  const script = `#!/bin/sh
for last; do :; done
seconds() { head -c $(($1 * 32000)) /dev/zero >> "\${last#file:}"; }
seconds 40
while read -r order; do
  case $order in
    end) exit 0 ;;
    fail) echo 'the file ends in the middle' >&2; exit 1 ;;
    *) seconds "$order" ;;
  esac
done < '${orders}'
`
  await writeFile(path, script, { mode: 0o755 })
  // For reading, too: then an order waits in the pipe until somebody listens, and nobody waits for us.
  const line = await open(orders, 'r+')
  return {
    ffmpeg: { ...FFMPEG, path, isolation: 'none' }, // shut in, it would not see its orders
    inputPath,
    order: async (order) => void (await line.write(`${order}\n`)),
    [Symbol.asyncDispose]: () => line.close(),
  }
}
