// REQUIRE_GPU=1 on a machine whose GPU, if it has one, is hidden: the server ends and says why, and no job is lost by it.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { home, SILENCE, spooled, startServer } from '../processes.ts'
import { ROOT } from './server.ts'

test('a server that must have a GPU and finds none ends with status 1 and one line, before it looks for a model', async () => {
  const { server, lines, dataDir } = await startServer('never-gets-ready', {
    PYTHON_PATH: join(ROOT, '.venv', 'bin', 'python'),
    MODEL: 'nobody/has-this-model',
    DEVICE: 'auto',
    REQUIRE_GPU: '1',
    CUDA_VISIBLE_DEVICES: '',
  })

  expect(await server).toMatchObject({ exitCode: 1 })
  expect(lines.at(-1)).toMatch(
    /^hviske-api cannot go on: REQUIRE_GPU=1 asks for a GPU, and none can be used: torch .* docker compose run --rm server doctor/,
  )
  expect(await spooled(dataDir)).toEqual([])
})

test('REQUIRE_GPU=1 beside DEVICE=cpu is a mistake in the settings', async () => {
  const { server, lines } = await startServer('dies-when-told', { DEVICE: 'cpu', REQUIRE_GPU: '1' })

  expect(await server).toMatchObject({ exitCode: 1 })
  expect(lines.at(-1)).toContain('REQUIRE_GPU=1: not with DEVICE=cpu')
})

test('a GPU that goes away ends the server in order, with status 1; its job is done by the next one', async () => {
  const { dataDir } = await home('loses-its-gpu')
  const kept = { DATA_DIR: dataDir }
  const first = await startServer('loses-its-gpu', { ...kept, GPU_IS_GONE: join(dataDir, 'gone') })
  const { url } = await first.logged('listening')
  await first.logged('ready: fixture')
  const body = new FormData()
  body.append('file', new Blob([await readFile(SILENCE)]), 'a.wav')
  const job = (await (await fetch(`${String(url)}/v1/jobs`, { method: 'POST', body })).json()) as {
    id: string
  }

  expect(await first.server).toMatchObject({ exitCode: 1 })
  expect(first.lines.at(-1)).toBe('hviske-api cannot go on: REQUIRE_GPU=1 asks for a GPU.')
  await first.logged('the listener is closed')
  expect(await spooled(dataDir)).toEqual([])

  const next = await startServer('dies-when-told', kept)
  const { url: again } = await next.logged('listening')
  const status = async () =>
    ((await (await fetch(`${String(again)}/v1/jobs/${job.id}`)).json()) as { status: string }).status
  await expect.poll(status, { timeout: 20_000 }).toBe('completed')
})
