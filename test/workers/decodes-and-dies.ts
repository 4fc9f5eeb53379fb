// Runs a script in ffmpeg's place, for as long as its test lets it live; ends when it is told anything.
import { ISOLATION_LEVELS } from '../../src/audio/isolation.ts'
import { runFfmpeg } from '../../src/audio/run-ffmpeg.ts'

const [path = '', level, inputPath = '', outputPath = ''] = process.argv.slice(2)
const isolation = ISOLATION_LEVELS.find((known) => known === level) ?? 'none'
process.stdin.on('data', () => process.exit(1))
await runFfmpeg(
  { path, version: 'none', demuxers: ['wav'], decoders: ['pcm_s16le'], isolation },
  { inputPath, outputPath, maxSeconds: 10 },
  new AbortController().signal,
)
