// Every recording of a folder becomes a text beside it. What is there already is left alone, and a second run goes on with the first.
//   node examples/jobs-folder.ts folder [json|text|srt|vtt|verbose_json|md]
// HVISKE_URL says where the server is, HVISKE_KEY the key that it may ask for.
import { openAsBlob } from 'node:fs'
import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const server = process.env.HVISKE_URL ?? 'http://localhost:8000'
const [folder = '.', format = 'text'] = process.argv.slice(2)

const apiKey = process.env.HVISKE_KEY

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers)
  if (apiKey) headers.set('x-api-key', apiKey)
  const response = await fetch(server + path, { ...init, headers })
  if (!response.ok) throw new Error(await response.text())
  return response
}

/** The same file under the same key is the same job: handing it in again costs the upload and nothing else. */
async function handIn(name: string): Promise<string> {
  const file = join(folder, name)
  const { size, mtimeMs } = await stat(file)
  const body = new FormData()
  body.append('file', await openAsBlob(file), name)
  const key = encodeURIComponent(`${name} ${size} ${mtimeMs}`).slice(-255)
  const job = await ask('/v1/jobs', { method: 'POST', body, headers: { 'idempotency-key': key } })
  return ((await job.json()) as { id: string }).id
}

async function collect(name: string, id: string): Promise<void> {
  const isUnderWay = async () => {
    const { status } = (await (await ask(`/v1/jobs/${id}`)).json()) as { status: string }
    return status === 'pending' || status === 'processing'
  }
  while (await isUnderWay()) await sleep(1000)
  const result = await ask(`/v1/jobs/${id}/result?format=${format}`)
  await writeFile(join(folder, `${name}.${format}`), await result.text())
}

const names = await readdir(folder)
const recordings = names.filter((name) => /\.(flac|m4a|mkv|mov|mp3|mp4|ogg|opus|wav|webm)$/i.test(name))
const failed = (name: string, error: unknown) => {
  console.error(`${name}: ${String(error)}`)
  process.exitCode = 1
}
// One upload after the other: a folder of thousands is no thousand connections. The server works on them meanwhile.
const handedIn: { readonly name: string; readonly id: string }[] = []
for (const name of recordings.filter((one) => !names.includes(`${one}.${format}`))) {
  await handIn(name).then(
    (id) => handedIn.push({ name, id }),
    (error: unknown) => failed(name, error),
  )
}
for (const { name, id } of handedIn) {
  await collect(name, id).then(
    () => console.log(`${name}.${format}`),
    (error: unknown) => failed(name, error),
  )
}
