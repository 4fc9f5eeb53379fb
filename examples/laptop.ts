// On the laptop, with OpenAI's SDK (npm install openai): a recording becomes text with times, from a box that is somewhere else.
//   HVISKE_URL=https://speech.example.org HVISKE_KEY=hv_… node examples/laptop.ts [recording]
// Where the box has CADDY_TLS=internal also NODE_EXTRA_CA_CERTS=root.crt: Caddy's root certificate.
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import OpenAI from 'openai'

const server = process.env.HVISKE_URL ?? 'http://localhost:8000'
const recording = process.argv[2] ?? join(import.meta.dirname, '../test/audio/da.wav')
const client = new OpenAI({
  baseURL: `${server}/v1`,
  apiKey: process.env.HVISKE_KEY ?? 'none-needed',
  timeout: 6 * 3_600_000, // for the whole of a long recording; the SDK's own ten minutes are for chats
  maxRetries: 5, // after a lost connection; a retry joins the work that is still running
})

const { data: models } = await client.models.list()
console.error(`${server}: ${models.map(({ id }) => id).join(', ')}`)

const spoken = await client.audio.transcriptions.create({
  file: createReadStream(recording),
  model: 'whisper-1',
  language: 'da',
  response_format: 'verbose_json',
})

for (const { start, end, text } of spoken.segments ?? []) {
  console.log(`${start.toFixed(2)} – ${end.toFixed(2)} s  ${text.trim()}`)
}
