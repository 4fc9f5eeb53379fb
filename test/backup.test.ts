/** RUNBOOK.md's commands for a backup, as they stand there but for the containers, of a real server that runs or has just ended. */
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import {
  AUDIO,
  plainWords,
  ROOT,
  type RunningServer,
  runFile,
  startServer,
  truthOf,
} from './end-to-end/server.ts'

const runbook = await readFile(join(ROOT, 'RUNBOOK.md'), 'utf8')

/** The lines of the first block after these words that have to do with the volume `data`. */
function linesAfter(words: string): string {
  const [, block = ''] = /```sh\n([\s\S]*?)```/.exec(runbook.slice(runbook.indexOf(words))) ?? []
  return block
    .split('\n')
    .map((line) => line.replace(/ # .*$/, ''))
    .filter((line) => /-T .*server .*[ "]\/data\b/.test(line))
    .join('\n')
}

/** What a container would do with its volume is done with a directory. */
async function carryOut(lines: string, data: string, place: string): Promise<void> {
  const here = lines
    .replaceAll('docker compose run --rm -T --no-deps --entrypoint tar server', 'tar')
    .replaceAll('docker compose exec -T server node', process.execPath)
    .replaceAll(/docker compose exec -T server (tar|rm)\b/g, '$1')
    .replaceAll(/(?<!\w)\/data\b/g, data)
  expect(here).not.toContain('docker')
  await runFile('sh', ['-ec', here], { cwd: place })
}

const PASSWORD = 'hv_settings'
const serve = (data: string) => startServer({ DATA_DIR: data, API_KEYS: PASSWORD })

async function createdKey(data: string): Promise<string> {
  const keys = [join(ROOT, 'src', 'keys', 'main.ts'), 'create', 'laptop']
  const { stdout } = await runFile(process.execPath, keys, { env: { ...process.env, DATA_DIR: data } })
  return stdout.trim()
}

async function completedJob({ url }: RunningServer, key: string): Promise<string> {
  const headers = { 'x-api-key': key }
  const body = new FormData()
  body.append('file', new File([await readFile(join(AUDIO, 'da.wav'))], 'da.wav'))
  const { id } = (await (await fetch(`${url}/v1/jobs`, { method: 'POST', headers, body })).json()) as {
    id: string
  }
  await (await fetch(`${url}/v1/jobs/${id}/events`, { headers })).text()
  return id
}

test('a job, its result and its key come back on another box, with a pause and without', async () => {
  const place = await mkdtemp(join(tmpdir(), 'hviske-backup-'))
  onTestFinished(() => rm(place, { recursive: true, force: true }))
  const [data, paused, unpaused] = ['data', 'paused', 'unpaused'].map((name) => join(place, name)) as [
    string,
    string,
    string,
  ]
  for (const directory of [data, paused, unpaused, join(place, 'backups')]) await mkdir(directory)
  const server = await serve(data)
  const key = await createdKey(data)
  const id = await completedJob(server, key)

  await carryOut(linesAfter('**Without a pause.**'), data, place)
  await carryOut(linesAfter('**Restore**'), unpaused, place)
  await server.stop()
  await carryOut(linesAfter('**With a pause.**'), data, place)
  await carryOut(linesAfter('**Restore**'), paused, place)

  expect(await readdir(join(data, 'jobs'))).not.toContain('copy.sqlite')
  for (const restored of [unpaused, paused]) {
    await using other = disposed(await serve(restored))
    const headers = { 'x-api-key': key }
    const result = await fetch(`${other.url}/v1/jobs/${id}/result?format=text`, { headers })
    expect(plainWords(await result.text())).toEqual(plainWords((await truthOf('da')).text))
    expect(await fetch(`${other.url}/v1/jobs`)).toMatchObject({ status: 401 })
  }
})

const disposed = (server: RunningServer) => ({
  url: server.url,
  [Symbol.asyncDispose]: async () => void (await server.stop()),
})
