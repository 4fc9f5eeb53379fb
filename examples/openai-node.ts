// OpenAI's own SDK for JavaScript: only the address changes.
//   node examples/openai-node.ts [recording]
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import OpenAI from 'openai'

const server = process.env.HVISKE_URL ?? 'http://localhost:8000'
const recording = process.argv[2] ?? join(import.meta.dirname, '../test/audio/da.wav')
const client = new OpenAI({ baseURL: `${server}/v1`, apiKey: 'none-needed' })

const spoken = await client.audio.transcriptions.create({
  file: createReadStream(recording),
  model: 'whisper-1',
  language: 'da',
  response_format: 'verbose_json',
  timestamp_granularities: ['word'],
})

console.log(spoken.text)
for (const { start, end, word } of spoken.words ?? []) {
  console.log(`${start.toFixed(2)} – ${end.toFixed(2)} s  ${word}`)
}
