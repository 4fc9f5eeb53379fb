/** Which isolation this machine allows: found by decoding a second of silence in each, strongest first. */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Ffmpeg } from './ffmpeg.ts'
import { ISOLATION_LEVELS, type IsolationLevel } from './isolation.ts'
import { runFfmpeg } from './run-ffmpeg.ts'

const BYTES_PER_SECOND = 32_000
/** On a machine that is busy starting everything else. */
const TRIAL_MS = 30_000

/**
 * What has just worked will work: whether user namespaces are allowed depends on the kernel, its settings, the container
 * and its profile, and no two of them say it in the same place.
 *
 * @throws Error when not even ffmpeg alone can decode.
 */
export async function strongestIsolation(ffmpeg: Omit<Ffmpeg, 'isolation'>): Promise<IsolationLevel> {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-trial-'))
  try {
    const inputPath = join(directory, 'silence.wav')
    await writeFile(inputPath, silence())
    for (const level of ISOLATION_LEVELS) {
      const outputPath = join(directory, `${level}.pcm`)
      if (await decodes({ ...ffmpeg, isolation: level }, inputPath, outputPath)) return level
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
  throw new Error('it cannot decode a second of silence')
}

async function decodes(ffmpeg: Ffmpeg, inputPath: string, outputPath: string): Promise<boolean> {
  try {
    await runFfmpeg(ffmpeg, { inputPath, outputPath, maxSeconds: 2 }, AbortSignal.timeout(TRIAL_MS))
    return (await stat(outputPath)).size === BYTES_PER_SECOND
  } catch {
    return false // this level's program is not installed, or not allowed: the next one may be
  }
}

/** A WAV of one second, 16 kHz, mono. */
function silence(): Buffer {
  const wav = Buffer.alloc(44 + BYTES_PER_SECOND)
  wav.write('RIFF____WAVEfmt ', 0, 'latin1')
  wav.writeUInt32LE(36 + BYTES_PER_SECOND, 4)
  wav.writeUInt32LE(16, 16)
  wav.writeUInt16LE(1, 20)
  wav.writeUInt16LE(1, 22)
  wav.writeUInt32LE(16_000, 24)
  wav.writeUInt32LE(BYTES_PER_SECOND, 28)
  wav.writeUInt16LE(2, 32)
  wav.writeUInt16LE(16, 34)
  wav.write('data', 36, 'latin1')
  wav.writeUInt32LE(BYTES_PER_SECOND, 40)
  return wav
}
