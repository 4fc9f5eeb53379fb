/**
 * Sixty seconds to a transcript: starts the server on the bundled model, sends it the bundled Danish recording through the official
 * OpenAI SDK, prints what came back and goes on serving. `--once` ends after the transcript.
 */
import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import OpenAI from 'openai'

const ROOT = join(import.meta.dirname, '..')
const RECORDING = join(ROOT, 'test', 'audio', 'da.wav')
const USUAL_PORT = 8000

/** Whether nobody listens on the port yet: a demo must not fail because another server runs. */
function isFree(port) {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '0.0.0.0', () => probe.close(() => resolve(true)))
  })
}

/** Starts the server; resolves with its address when it listens. Its log goes on to stderr as readable lines. */
function startServer(port) {
  const server = spawn(process.execPath, ['src/main.ts'], {
    cwd: ROOT,
    env: {
      ...process.env,
      MODEL: 'models/tiny-da',
      PORT: String(port),
      HOST: process.env.HOST ?? '127.0.0.1',
    },
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  const listening = new Promise((resolve, reject) => {
    server.once('exit', (code) =>
      reject(new Error(`the server ended before it listened (exit code ${code})`)),
    )
    createInterface({ input: server.stderr }).on('line', (line) => {
      const entry = parseLogLine(line)
      if (entry?.message === 'listening') resolve(entry.url)
      else if (entry?.level !== 'debug' && entry?.message !== 'request')
        console.error(`   ${entry?.message ?? line}`)
    })
  })
  return { server, listening }
}

function parseLogLine(line) {
  try {
    return JSON.parse(line)
  } catch {
    return undefined // a crash report or a runtime warning: shown as it is
  }
}

/** Prints the text, the words with their times and the subtitles, all three through the SDK. */
async function transcribe(baseUrl) {
  const client = new OpenAI({ baseURL: `${baseUrl}/v1`, apiKey: 'none-needed' })
  const request = { model: 'whisper-1', language: 'da' }
  const spoken = await client.audio.transcriptions.create({
    ...request,
    file: createReadStream(RECORDING),
    response_format: 'verbose_json',
    timestamp_granularities: ['word', 'segment'],
  })
  const subtitles = await client.audio.transcriptions.create({
    ...request,
    file: createReadStream(RECORDING),
    response_format: 'srt',
  })

  console.log(`\nText\n  ${spoken.text}\n\nWords`)
  for (const { word, start, end } of spoken.words) {
    console.log(`  ${start.toFixed(2).padStart(6)} – ${end.toFixed(2).padStart(6)} s  ${word}`)
  }
  console.log(`\nSubtitles\n${subtitles.replace(/^(?=.)/gm, '  ')}`)
}

/** Asks the server to stop and waits until it has. */
function stop(server) {
  return new Promise((resolve) => {
    server.removeAllListeners('exit')
    server.once('exit', resolve)
    server.kill('SIGTERM')
  })
}

console.error('── starting the server on the bundled model (models/tiny-da)')
const wantedPort = process.env.PORT ? Number(process.env.PORT) : USUAL_PORT
const { server, listening } = startServer((await isFree(wantedPort)) ? wantedPort : 0)
process.once('exit', () => server.kill('SIGKILL'))
try {
  const url = await listening
  await transcribe(url)
  if (process.argv.includes('--once')) {
    await stop(server)
    process.exit(0)
  }
  console.log(
    `Serving at ${url} until Ctrl-C. Try:\n\n  curl ${url}/v1/audio/transcriptions -F file=@test/audio/da.wav\n`,
  )
  server.removeAllListeners('exit')
  server.once('exit', (code) => process.exit(code ?? 0))
  // The same signal, because a terminal gives Ctrl-C to the server too: another one would mean "at once".
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.kill(signal))
} catch (problem) {
  console.error(`demo: ${problem.message}`)
  server.kill('SIGTERM')
  process.exitCode = 1
}
