/**
 * Hours of speech through the real server (the tests' model), whole and as a stream: does memory stay where it was?
 *
 *   npm run bench:endurance -- --hours 10 --out bench/results/endurance.json
 *
 * The recording is one of test/audio, said over and over, so it is known how many words there are. It is not known which the model hears
 * at each repetition: windows begin elsewhere each time.
 */
import { execFile } from 'node:child_process'
import { openAsBlob } from 'node:fs'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { type MemorySample, machine, ROOT, startServer, thinned } from './server.ts'

const { values } = parseArgs({
  options: {
    hours: { type: 'string', default: '10' },
    ffmpeg: { type: 'string', default: 'ffmpeg' },
    note: { type: 'string', default: '' },
    out: { type: 'string' },
  },
})
const hours = Number(values.hours)
const directory = join(ROOT, 'bench', 'tmp')
const path = join(directory, `endurance-${process.pid}.flac`)

interface Outcome {
  readonly seconds: number
  readonly characters: number
  readonly words: number
  readonly durationSeconds: number
  readonly segments?: number
  readonly deltas?: number
}

/** The spoken text is known: the model's is compared with so many repetitions of it. */
const truth = JSON.parse(await readFile(join(ROOT, 'test/audio/long.json'), 'utf8')) as { text: string; duration: number }
const wordsIn = (text: string) => text.split(/\s+/).filter(Boolean).length
const spokenWords = (wordsIn(truth.text) * hours * 3600) / truth.duration

async function record(): Promise<void> {
  await mkdir(directory, { recursive: true })
  const input = ['-stream_loop', '-1', '-i', join(ROOT, 'test/audio/long.wav')]
  await promisify(execFile)(values.ffmpeg, ['-v', 'error', '-y', ...input, '-t', String(hours * 3600), path])
}

async function send(url: string, fields: readonly (readonly [string, string])[]): Promise<Response> {
  const form = new FormData()
  for (const [name, value] of fields) form.append(name, value)
  form.append('file', await openAsBlob(path), 'endurance.flac')
  const answer = await fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body: form })
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
  return answer
}

async function whole(url: string): Promise<Omit<Outcome, 'seconds'>> {
  const granularities = ['word', 'segment'].map((value) => ['timestamp_granularities[]', value] as const)
  const answer = await send(url, [['response_format', 'verbose_json'], ...granularities])
  const body = (await answer.json()) as { text: string; duration: number; words: unknown[]; segments: { text: string }[] }
  const joined = body.segments.map(({ text }) => text).join('').trim()
  if (joined !== body.text) throw new Error('the segments are not the text')
  return {
    characters: body.text.length,
    words: body.words.length,
    segments: body.segments.length,
    durationSeconds: body.duration,
  }
}

async function streamed(url: string): Promise<Omit<Outcome, 'seconds'>> {
  const answer = await send(url, [['stream', 'true']])
  let text = ''
  let deltas = 0
  let last = ''
  let pending = ''
  for await (const piece of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const lines = (pending + piece).split('\n')
    pending = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.startsWith('data: {')) continue
      const event = JSON.parse(line.slice(6)) as { type?: string; delta?: string; text?: string; error?: unknown }
      if (event.error !== undefined) throw new Error(JSON.stringify(event.error))
      if (event.type === 'transcript.text.delta') {
        text += event.delta
        deltas++
      }
      if (event.type === 'transcript.text.done') last = event.text ?? ''
    }
  }
  if (text !== last) throw new Error('the deltas are not the text')
  return { characters: text.length, words: wordsIn(text), deltas, durationSeconds: hours * 3600 }
}

/** The medians of the second and of the last tenth of the time: at the beginning everything grows once. */
function growth(samples: readonly MemorySample[], of: 'nodeMb' | 'childMb' | 'childMappedMb') {
  const tenth = Math.max(1, Math.floor(samples.length / 10))
  const median = (from: number) => samples.slice(from, from + tenth).map((sample) => sample[of]).toSorted((a, b) => a - b)[tenth >> 1] ?? 0
  return { earlyMb: median(tenth), lateMb: median(samples.length - 2 * tenth), peakMb: Math.max(...samples.map((sample) => sample[of])) }
}

await record()
console.log(`${hours} h of speech, ${(await stat(path)).size} bytes`)
const runs: Record<string, unknown> = {}
try {
  for (const [name, ask] of Object.entries({ whole, streamed })) {
    await using server = await startServer({ MAX_AUDIO_SECONDS: String(hours * 3600 + 60), JOIN_RETRIES: 'off' })
    const seen = server.watch()
    const beganMs = performance.now()
    const outcome = await ask(server.url)
    const seconds = Math.round((performance.now() - beganMs) / 100) / 10
    const samples = seen()
    runs[name] = {
      ...outcome,
      seconds,
      timesRealTime: Math.round((hours * 3600) / seconds),
      shareOfWordsSpoken: Math.round((outcome.words / spokenWords) * 1000) / 1000,
      node: { ...growth(samples, 'nodeMb'), kernelPeakMb: server.nodePeakMb() },
      child: { ...growth(samples, 'childMb'), kernelPeakMb: server.childPeakMb() },
      childMapped: growth(samples, 'childMappedMb'),
      filesLeft: server.filesLeft(),
      samples: thinned(samples),
    }
    console.log(name, JSON.stringify({ ...(runs[name] as object), samples: undefined }))
  }
} finally {
  await rm(path, { force: true })
}
const result = { what: `${hours} hours of speech, tests' model`, note: values.note, machine: machine(), hours, runs }
if (values.out !== undefined) await writeFile(values.out, `${JSON.stringify(result, null, 2)}\n`)
