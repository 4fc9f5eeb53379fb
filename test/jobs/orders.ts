/** Orders and finished windows for tests: whole, and each different from the others. */
import { randomUUID } from 'node:crypto'
import type { FinishedWindow, JobEvent, JobOrder } from '../../src/jobs/job.ts'
import type { JobQueue, Lease } from '../../src/jobs/job-queue.ts'

/** A day in November; a test's orders are handed in one millisecond after the other unless it says something else. */
let createdAtMs = Date.UTC(2026, 10, 20)

export function anOrder(changes: Partial<JobOrder> = {}): JobOrder {
  const id = changes.id ?? randomUUID()
  return {
    id,
    lane: 'batch',
    input: { kind: 'blob', key: `jobs/${id}/recording`, sizeBytes: 1000 },
    options: {
      task: 'transcribe',
      temperature: 0,
      wantsWords: false,
      wantsLogprobs: false,
      wantsDeltas: false,
      wantsGuards: true,
    },
    format: 'json',
    rendering: { hasWords: false, isForVexa: false, hasLogprobs: false, listsLanguages: false },
    metadata: {},
    keepsAudio: false,
    afterwards: [],
    createdAtMs: createdAtMs++,
    ...changes,
  }
}

/** Every field that an order can have. */
export function aFullOrder(): JobOrder {
  return anOrder({
    owner: 'anna',
    lane: 'interactive',
    input: { kind: 's3', bucket: 'recordings', key: 'møde/2026-11-20.flac' },
    fileName: 'møde "20" \u{1f3a4}\n.flac',
    options: {
      task: 'translate',
      language: 'da',
      candidateLanguages: ['da', 'en'],
      prompt: 'æøå',
      keywords: ['Hviske', 'Ærø'],
      speechDetection: { threshold: 0.4, paddingMs: 200, silenceMs: 500, maxSpeechSeconds: 20 },
      temperature: 0.2,
      wantsWords: true,
      wantsLogprobs: true,
      wantsDeltas: true,
      wantsGuards: false,
    },
    format: 'verbose_json',
    rendering: { hasWords: true, isForVexa: true, hasLogprobs: true, listsLanguages: true },
    metadata: { 'sag nr.': '7 \u0000 8', __proto__x: "'; DROP TABLE jobs; --" },
    callbackUrl: 'https://example.test/told?a=1',
    s3Path: 'results/møde',
    keepsAudio: true,
    afterwards: ['paragraphs', 'summary'],
    idempotencyKey: 'once only',
    fingerprint: 'f'.repeat(64),
  })
}

/** The window of that number; each is 30 seconds long. */
export function aWindow(number: number, windows = 10): FinishedWindow {
  return {
    number,
    segments: [
      {
        id: number,
        seek: number * 3000,
        startSeconds: number * 30,
        endSeconds: number * 30 + 29.5,
        text: ` vindue ${number}`,
        tokens: [50_364, number],
        temperature: 0,
        avgLogprob: -0.25,
        compressionRatio: 1.5,
        noSpeechProb: 0.01,
        words: [
          { word: ' vindue', startSeconds: number * 30, endSeconds: number * 30 + 1, probability: 0.9 },
        ],
      },
    ],
    processedSeconds: (number + 1) * 30,
    durationSeconds: windows * 30,
    checkpoint: { next: number + 1 },
  }
}

export function aFailure() {
  return { code: 'invalid_audio', message: 'The file could not be read as audio.', param: 'file' }
}

/** Hands in orders one after the other: they wait in this line. */
export async function addAll(queue: JobQueue, orders: readonly JobOrder[]): Promise<readonly JobOrder[]> {
  for (const order of orders) await queue.add(order)
  return orders
}

export function claimNow(queue: JobQueue, lane: JobOrder['lane'] = 'batch'): Promise<Lease> {
  return queue.claim(lane, AbortSignal.timeout(20_000))
}

/** A job in that state, and the lease of whoever works on it. */
export async function aJobThatIs(
  state: 'pending' | 'processing' | 'completed' | 'failed' | 'cancelled',
  queue: JobQueue,
  order = anOrder(),
): Promise<{ id: string; lease?: Lease }> {
  const { id } = order
  await queue.add(order)
  if (state === 'pending') return { id }
  const lease = await claimNow(queue, order.lane)
  if (state === 'completed') await lease.complete('jobs/result')
  if (state === 'failed') await lease.fail(aFailure())
  if (state === 'cancelled') await queue.cancel(id)
  return { id, lease }
}

/** The events of a job, short: states by name, windows by number. All there are until the stream ends. */
export async function story(queue: JobQueue, id: string, after = 0): Promise<(string | number)[]> {
  const told: (string | number)[] = []
  for await (const { event } of queue.events(id, after, AbortSignal.timeout(20_000))) told.push(short(event))
  return told
}

export function short(event: JobEvent): string | number {
  return event.kind === 'state' ? event.state : (event.window.segments[0]?.id ?? -1)
}

/** Resolves when the job is told to be in that state, now or later, once more after the event of that number. */
export async function comesTo(queue: JobQueue, id: string, state: string, after = 0): Promise<number> {
  for await (const { number, event } of queue.events(id, after, AbortSignal.timeout(20_000)))
    if (short(event) === state) return number
  throw new Error(`the job never came to be ${state}`)
}
