// However Node ends in the middle of a decoding, ffmpeg ends, too.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { FFMPEG, openWorkbench } from './recordings.ts'

const PARENT = fileURLToPath(new URL('../workers/decodes-and-dies.ts', import.meta.url))
/** Says its process where the PCM should be, and stands still. */
const SCRIPT = '#!/bin/sh\nfor last; do :; done\necho $$ > "${last#file:}"\nexec sleep 600\n'

/** One that nobody has reaped (a container's first process may not) has gone as well. */
async function isGone(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tZ')
  return /^State:\t[XZ]/m.test(status)
}

test.skipIf(FFMPEG.isolation === 'none').each<[string, string, (parent: ChildProcess) => void]>([
  ['is killed with -9', 'limits', (parent) => void parent.kill('SIGKILL')],
  ['is killed with -9, from its own namespaces', FFMPEG.isolation, (parent) => void parent.kill('SIGKILL')],
  ['ends at once, where nothing shuts it in', 'none', (parent) => void parent.stdin?.write('end')],
])('when Node %s', async (_how, isolation, end) => {
  if (isolation === 'bubblewrap') return // its processes have other numbers; it has --die-with-parent
  const bench = await openWorkbench()
  onTestFinished(() => bench[Symbol.asyncDispose]())
  const path = join(bench.directory, 'standing')
  await writeFile(path, SCRIPT, { mode: 0o755 })
  const inputPath = join(bench.directory, 'any.wav')
  await writeFile(inputPath, 'anything')
  const outputPath = join(bench.spool, 'out.pcm')
  const parent = spawn(process.execPath, [PARENT, path, isolation, inputPath, outputPath], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  onTestFinished(() => void parent.kill('SIGKILL'))
  const pidOf = async () => Number(await readFile(outputPath, 'utf8').catch(() => ''))
  await expect.poll(pidOf, { timeout: 20_000 }).toBeGreaterThan(0)
  const pid = await pidOf()
  expect(await isGone(pid)).toBe(false)

  end(parent)

  await expect.poll(() => isGone(pid), { timeout: 20_000 }).toBe(true)
})
