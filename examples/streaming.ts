// Text while it is being made, with OpenAI's SDK for JavaScript: each delta is printed as soon as it is there.
//   node examples/streaming.ts [recording]
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import OpenAI from 'openai'

const server = process.env.HVISKE_URL ?? 'http://localhost:8000'
const recording = process.argv[2] ?? join(import.meta.dirname, '../test/audio/da.wav')
const client = new OpenAI({ baseURL: `${server}/v1`, apiKey: 'none-needed' })

const events = await client.audio.transcriptions.create({
  file: createReadStream(recording),
  model: 'whisper-1',
  language: 'da',
  stream: true,
})

for await (const event of events) {
  if (event.type === 'transcript.text.delta') process.stdout.write(event.delta)
  if (event.type === 'transcript.text.done') console.log(`\n${event.usage?.output_tokens} tokens`)
}
