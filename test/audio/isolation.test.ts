// What an ffmpeg that somebody's file has taken over can still do: a script in its place tries.
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Ffmpeg } from '../../src/audio/ffmpeg.ts'
import { enclosure, ISOLATION_LEVELS, ISOLATION_MEANINGS } from '../../src/audio/isolation.ts'
import { runFfmpeg } from '../../src/audio/run-ffmpeg.ts'
import { FFMPEG, openWorkbench, tone } from './recordings.ts'

const NEVER = new AbortController().signal
const hasNamespaces = ['bubblewrap', 'namespaces'].includes(FFMPEG.isolation)

/** Runs a shell script in ffmpeg's place and says what it wrote where the PCM should be. `$in` and `$out` are the two files. */
async function inItsPlace(script: string, changes: Partial<Ffmpeg> = {}) {
  const bench = await openWorkbench()
  onTestFinished(() => bench[Symbol.asyncDispose]())
  const inputPath = await bench.make(...tone(0.1), 'tone.wav')
  const path = join(bench.directory, 'taken-over')
  const preamble = `#!/bin/sh\nfor last; do :; done\nout="\${last#file:}"; in='${inputPath}'\nexec 2>&1 >"$out"\n`
  await writeFile(path, preamble + script, { mode: 0o755 })
  const outputPath = join(bench.spool, 'out.pcm')
  await writeFile(join(bench.spool, 'another.pcm'), 'of somebody else')
  const end = await runFfmpeg(
    { ...FFMPEG, path, ...changes },
    { inputPath, outputPath, maxSeconds: 10 },
    NEVER,
  )
  return { ...end, output: await readFile(outputPath, 'utf8'), bench }
}

test.skipIf(FFMPEG.isolation === 'none')(
  'its memory, files, processor time and rank are limited',
  async () => {
    const { output } = await inItsPlace('ulimit -v; ulimit -n; ulimit -t; ulimit -c; nice')

    // A test may itself be run with a rank of its own.
    expect(output).toMatch(/^2097152\n64\n61\n0\n\d+\n$/)
    expect(Number(output.trim().split('\n').at(-1))).toBeGreaterThanOrEqual(5)
  },
)

test.skipIf(FFMPEG.isolation === 'none')(
  'it cannot write more than the longest recording takes',
  async () => {
    const { exitCode, signal, output } = await inItsPlace('yes | head -c 9000000')

    expect(exitCode === 0 && signal === undefined).toBe(false)
    expect(output.length).toBe(32_000 * 11 + 1024 ** 2)
  },
)

test.skipIf(!hasNamespaces)('it reaches no network, not even this machine', async () => {
  const server = createServer((socket) => socket.end('secret')).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  const ask = `bash -c 'exec 3<>/dev/tcp/127.0.0.1/${port} && cat <&3'; true`

  expect((await inItsPlace(ask)).output).not.toContain('secret')
  expect((await inItsPlace(ask, { isolation: 'none' })).output).toContain('secret')
})

test.skipIf(FFMPEG.isolation !== 'bubblewrap')(
  'it sees its one file and no other, and no secrets',
  async () => {
    const look = 'ls "$(dirname "$in")"; ls "$(dirname "$out")"; ls -d /home /root /proc; env'
    const { output } = await inItsPlace(look)

    expect(output).toMatch(/^taken-over\ntone\.wav\nout\.pcm\n(PATH=.*|PWD=.*|\n)*$/)
    expect((await inItsPlace(look, { isolation: 'none' })).output).toContain('another.pcm')
  },
)

test('it inherits no secrets, however little shuts it in', async () => {
  for (const name of ['API_KEYS', 'HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']) vi.stubEnv(name, 'a-secret')
  onTestFinished(() => void vi.unstubAllEnvs())

  const { output } = await inItsPlace('env', { isolation: 'none' })

  expect(output).toContain('PATH=')
  expect(output).not.toContain('a-secret')
})

test('each level says what it means, and the strongest is tried first', () => {
  const job = { inputPath: '/in', outputPath: '/out', maxSeconds: 60 }

  expect(Object.keys(ISOLATION_MEANINGS)).toEqual([...ISOLATION_LEVELS])
  for (const level of ISOLATION_LEVELS) {
    const command = enclosure(level, 'ffmpeg', job)
    expect(command.includes('--cpu=66')).toBe(level !== 'none')
    expect(command.includes('unshare')).toBe(level === 'namespaces')
    expect(command.includes('bwrap')).toBe(level === 'bubblewrap')
  }
})
