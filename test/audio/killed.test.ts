// An ffmpeg that somebody else kills: the kernel when memory is short, or an operator. The recording is not to blame.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { decode } from '../../src/audio/decode.ts'
import { FFMPEG, openWorkbench, tone } from './recordings.ts'

test.each([
  ['SIGKILL', { code: 'engine_failed', status: 500 }],
  // What the limits of a file's own making end with.
  ['SIGXFSZ', { code: 'invalid_audio', status: 400 }],
])('%s tells what it says of the file', async (signal, refusal) => {
  const bench = await openWorkbench()
  onTestFinished(() => bench[Symbol.asyncDispose]())
  const recording = await bench.make(...tone(1), 'tone.wav')
  const path = join(bench.directory, 'killed-ffmpeg')
  await writeFile(path, `#!/bin/sh\nkill -${signal.slice(3)} $$\n`, { mode: 0o755 })
  const limits = { directory: bench.spool, maxSeconds: 60 }

  const decoding = decode(
    { ...FFMPEG, path, isolation: 'none' },
    recording,
    limits,
    new AbortController().signal,
  )

  await expect(decoding).rejects.toMatchObject(refusal)
  expect(await bench.spooled()).toEqual([])
})
