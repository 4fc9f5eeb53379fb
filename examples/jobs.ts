// A recording is handed in as a job, watched as it is heard, and fetched as text. No package is needed.
//   node examples/jobs.ts [recording]
// HVISKE_URL says where the server is, HVISKE_KEY the key that it may ask for.
import { openAsBlob } from 'node:fs'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'

const server = process.env.HVISKE_URL ?? 'http://localhost:8000'
const recording = process.argv[2] ?? join(import.meta.dirname, '../test/audio/da.wav')

const key = process.env.HVISKE_KEY

async function ask(path: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(server + path, { ...init, headers: { ...(key && { 'x-api-key': key }) } })
  if (!response.ok) throw new Error(await response.text())
  return response
}

const form = new FormData()
form.append('file', await openAsBlob(recording), basename(recording))
form.append('metadata[asked_by]', 'examples/jobs.ts')
const { id } = (await (await ask('/v1/jobs', { method: 'POST', body: form })).json()) as { id: string }

// One `data:` line for each event; the stream ends when the job has ended.
const events = Readable.fromWeb((await ask(`/v1/jobs/${id}/events`)).body ?? new ReadableStream())
for await (const line of createInterface({ input: events })) {
  if (line.startsWith('data: ')) console.error(JSON.parse(line.slice(6)))
}
console.log(await (await ask(`/v1/jobs/${id}/result?format=text`)).text())
