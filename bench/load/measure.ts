/**
 * A closed loop against one URL: so many requests in flight, each followed by the next one, for so many seconds.
 * Knows OpenAI's transcription endpoint and nothing of who answers it.
 */
import { performance } from 'node:perf_hooks'

export interface Recording {
  readonly name: string
  readonly bytes: Blob
  readonly seconds: number
}

export interface Target {
  /** The base URL that an OpenAI SDK would be given, with /v1. */
  readonly url: string
  readonly apiKey: string
  readonly fields: Readonly<Record<string, string>>
}

export interface Load {
  readonly concurrency: number
  readonly seconds: number
}

export interface Figures {
  readonly concurrency: number
  readonly requests: number
  readonly errors: Readonly<Record<string, number>>
  readonly wallSeconds: number
  readonly requestsPerSecond: number
  /** Seconds of audio answered in a second; its inverse is the real-time factor. */
  readonly audioPerSecond: number
  readonly realTimeFactor: number
  readonly p50Seconds: number
  readonly p95Seconds: number
  readonly p99Seconds: number
}

interface Answer {
  readonly latencySeconds: number
  readonly audioSeconds: number
  readonly problem: string | undefined
}

/** Runs the loop. No request is begun after the time is up; those in flight are waited for and counted. */
export async function measure(
  target: Target,
  recordings: readonly Recording[],
  load: Load,
  signal: AbortSignal,
): Promise<Figures> {
  const answers: Answer[] = []
  const began = performance.now()
  const isOver = () => performance.now() - began >= load.seconds * 1000 || signal.aborted
  let turn = 0
  const visitor = async () => {
    while (!isOver()) {
      const recording = recordings[turn++ % recordings.length]
      if (recording === undefined) throw new Error('nothing to send')
      answers.push(await send(target, recording, signal))
    }
  }
  await Promise.all(Array.from({ length: load.concurrency }, visitor))
  return summarise(load.concurrency, answers, (performance.now() - began) / 1000)
}

async function send(target: Target, recording: Recording, signal: AbortSignal): Promise<Answer> {
  const began = performance.now()
  const problem = await transcribe(target, recording, signal)
  const audioSeconds = problem === undefined ? recording.seconds : 0
  return { latencySeconds: (performance.now() - began) / 1000, audioSeconds, problem }
}

/** What went wrong, in a word that can be counted; undefined when all went well. */
async function transcribe(
  target: Target,
  recording: Recording,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const response = await post(target, recording, target.fields, signal)
    await response.text()
    return response.ok ? undefined : `http ${response.status}`
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  }
}

function post(
  target: Target,
  recording: Recording,
  fields: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Response> {
  const body = new FormData()
  for (const [name, value] of Object.entries(fields)) body.append(name, value)
  body.append('file', recording.bytes, recording.name)
  // The same file again and again looks like a client that retries; our server would do the work once.
  const headers = { authorization: `Bearer ${target.apiKey}`, 'cache-control': 'no-store' }
  return fetch(`${target.url}/audio/transcriptions`, { method: 'POST', body, headers, signal })
}

/** Asks the server itself, once, how long a recording is: it can read every format, and it is warm afterwards. */
export async function askDuration(
  target: Target,
  recording: Recording,
  signal: AbortSignal,
): Promise<number> {
  const fields = { ...target.fields, response_format: 'verbose_json' }
  const response = await post(target, recording, fields, signal)
  const text = await response.text()
  if (!response.ok) throw new Error(`${target.url} answered ${response.status}: ${text.slice(0, 300)}`)
  const { duration } = JSON.parse(text) as { duration?: unknown }
  const seconds = Number(duration)
  if (!(seconds > 0)) throw new Error(`${target.url} said no duration in verbose_json: give --audio-seconds`)
  return seconds
}

export function summarise(concurrency: number, answers: readonly Answer[], wallSeconds: number): Figures {
  const errors: Record<string, number> = {}
  for (const { problem } of answers) if (problem !== undefined) errors[problem] = (errors[problem] ?? 0) + 1
  const good = answers.filter(({ problem }) => problem === undefined)
  const latencies = good.map(({ latencySeconds }) => latencySeconds).sort((a, b) => a - b)
  const audioSeconds = good.reduce((sum, answer) => sum + answer.audioSeconds, 0)
  return {
    concurrency,
    requests: answers.length,
    errors,
    wallSeconds,
    requestsPerSecond: good.length / wallSeconds,
    audioPerSecond: audioSeconds / wallSeconds,
    realTimeFactor: wallSeconds / audioSeconds,
    p50Seconds: percentile(latencies, 0.5),
    p95Seconds: percentile(latencies, 0.95),
    p99Seconds: percentile(latencies, 0.99),
  }
}

/** The smallest value that at least this share does not exceed; NaN of nothing. */
function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}
