// Whose fault it is that ffmpeg ended: scripts in its place end in each way.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { decode } from '../../src/audio/decode.ts'
import { HOLE_NOT_FILLED } from '../../src/audio/timeline.ts'
import { FFMPEG, openWorkbench, tone } from './recordings.ts'

const NEVER = new AbortController().signal
/** A second of silence, where the PCM should be. */
const WRITES = 'for last; do :; done; head -c 32000 /dev/zero > "${last#file:}";'

test.each([
  ['killed', 'kill -KILL $$', 'engine_failed'],
  ['told to end, and does so in order', 'exit 255', 'engine_failed'],
  [
    'before it has begun',
    'echo "bwrap: No permissions to create new namespace" >&2; exit 1',
    'engine_failed',
  ],
  ['of its own accord', 'echo "Invalid data" >&2; exit 255', 'invalid_audio'],
  ['because it cannot be contained', 'kill -XFSZ $$', 'invalid_audio'],
  [
    'well, but has lost what came after a hole',
    `${WRITES} echo '${HOLE_NOT_FILLED} of 9' >&2`,
    'invalid_audio',
  ],
  ['well, and has written next to nothing', ':', 'audio_too_short'],
  ['because it crashes', 'kill -SEGV $$', 'invalid_audio'],
])('an ffmpeg that ends %s is somebody’s fault, and whose is told', async (_how, script, code) => {
  const bench = await openWorkbench()
  onTestFinished(() => bench[Symbol.asyncDispose]())
  const input = await bench.make(...tone(1), 'tone.wav')
  const path = join(bench.directory, 'ends')
  await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  const limits = { directory: bench.spool, maxSeconds: 60 }

  const decoding = decode({ ...FFMPEG, path, isolation: 'none' }, input, limits, NEVER)

  await expect(decoding).rejects.toMatchObject({ code })
  expect(await bench.spooled()).toEqual([])
})
