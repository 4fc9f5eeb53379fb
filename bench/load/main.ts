/**
 * Load on any server that speaks OpenAI's transcription endpoint:
 *
 *   npm run bench:load -- --url http://127.0.0.1:8000/v1 --file x.wav --concurrency 1,2,4,8 --seconds 20
 *
 * Decides only what is asked and how it is shown; measure.ts does the rest.
 */
import { openAsBlob } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { askDuration, type Figures, measure, type Recording, type Target } from './measure.ts'

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8000/v1' },
    file: { type: 'string', multiple: true, default: ['test/audio/da.wav'] },
    concurrency: { type: 'string', default: '1,2,4,8' },
    seconds: { type: 'string', default: '20' },
    model: { type: 'string', default: 'whisper-1' },
    language: { type: 'string', default: 'da' },
    format: { type: 'string', default: 'json' },
    key: { type: 'string', default: 'none-needed' },
    'audio-seconds': { type: 'string' },
    out: { type: 'string' },
  },
})

const stop = new AbortController()
process.once('SIGINT', () => stop.abort(new Error('interrupted')))

const target: Target = {
  url: values.url.replace(/\/+$/, ''),
  apiKey: values.key,
  fields: { model: values.model, language: values.language, response_format: values.format },
}

async function readRecordings(): Promise<Recording[]> {
  const recordings: Recording[] = []
  for (const path of values.file) {
    const unmeasured = { name: basename(path), bytes: await openAsBlob(path), seconds: 0 }
    const said = values['audio-seconds']
    const seconds = said === undefined ? await askDuration(target, unmeasured, stop.signal) : Number(said)
    recordings.push({ ...unmeasured, seconds })
  }
  return recordings
}

const COLUMNS = ['at once', 'req', 'errors', 'req/s', 'RTFx', 'RTF', 'p50 s', 'p95 s', 'p99 s', 'scaling']

function row(figures: Figures, first: Figures): string[] {
  const errors = Object.values(figures.errors).reduce((sum, count) => sum + count, 0)
  return [
    String(figures.concurrency),
    String(figures.requests),
    String(errors),
    figures.requestsPerSecond.toFixed(2),
    figures.audioPerSecond.toFixed(1),
    figures.realTimeFactor.toFixed(4),
    figures.p50Seconds.toFixed(3),
    figures.p95Seconds.toFixed(3),
    figures.p99Seconds.toFixed(3),
    `${(figures.requestsPerSecond / first.requestsPerSecond).toFixed(2)}x`,
  ]
}

function print(cells: readonly string[]): void {
  console.log(cells.map((cell) => cell.padStart(9)).join(''))
}

const recordings = await readRecordings()
const heard = recordings.map(({ name, seconds }) => `${name} (${seconds.toFixed(1)} s)`).join(', ')
console.log(`${target.url}: ${heard}, ${values.seconds} s each`)
print(COLUMNS)
const results: Figures[] = []
for (const count of values.concurrency.split(',').map(Number)) {
  if (stop.signal.aborted) break
  const load = { concurrency: count, seconds: Number(values.seconds) }
  const figures = await measure(target, recordings, load, stop.signal)
  results.push(figures)
  print(row(figures, results[0] ?? figures))
  for (const [problem, times] of Object.entries(figures.errors)) console.log(`   ${times} x ${problem}`)
}
if (values.out !== undefined) {
  const content = { date: new Date().toISOString(), url: target.url, fields: target.fields, heard, results }
  await writeFile(values.out, `${JSON.stringify(content, undefined, 2)}\n`)
  console.log(values.out)
}
