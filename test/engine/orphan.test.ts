// However Node dies, its child goes too, also in the middle of a computation of which Python hears nothing.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

const PARENT = fileURLToPath(new URL('../workers/parent-that-is-killed.ts', import.meta.url))

/** One that has died and that nobody has reaped (a container's first process may not) has gone as well. */
async function isGone(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch {
    return true
  }
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return /^State:\tZ/m.test(status)
}

test('the child of a Node that is killed with -9 goes at once, though it computes', async () => {
  const spool = await mkdtemp(join(tmpdir(), 'hviske-orphan-'))
  onTestFinished(() => rm(spool, { recursive: true }))
  const path = join(spool, 'tone.pcm')
  const samples = Int16Array.from({ length: 32_000 }, (_, index) => 12_000 * Math.sin(index / 6))
  await writeFile(path, new Uint8Array(samples.buffer))
  const parent = spawn(process.execPath, [PARENT, resolve('.venv/bin/python'), spool, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void parent.kill('SIGKILL'))
  const lines = createInterface({ input: parent.stdout })[Symbol.asyncIterator]()
  const pid = Number((await lines.next()).value)
  expect((await lines.next()).value).toBe('works')
  expect(await isGone(pid)).toBe(false)

  parent.kill('SIGKILL')
  await once(parent, 'exit')

  await expect.poll(() => isGone(pid), { timeout: 10_000 }).toBe(true)
})
