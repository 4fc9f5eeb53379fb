/** A whole app on fakes: no Python, no ffmpeg, no model. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp } from '../../src/app.ts'
import { type Config, readConfig } from '../../src/config.ts'
import type { EngineFacts, EngineState } from '../../src/engine/state.ts'
import { FAILURES } from '../../src/failure.ts'
import type { Member } from '../../src/fleet/seen.ts'
import type { JobParts, Parts } from '../../src/http/parts.ts'
import { JobDesk } from '../../src/jobs/job-desk.ts'
import { KeyRing } from '../../src/keys/key-ring.ts'
import { ClientLimits } from '../../src/limits/client-limits.ts'
import { FailedKeys } from '../../src/limits/failed-keys.ts'
import { createLog } from '../../src/log.ts'
import { createMetrics } from '../../src/metrics.ts'
import type { AudioSource, TranscribeOptions, Transcriber } from '../../src/transcriber.ts'
import type { DetectedLanguage, Transcript, TranscriptEvent } from '../../src/transcript.ts'
import { diskRoomOf } from '../../src/upload/disk-room.ts'
import { Uploads } from '../../src/uploads/uploads.ts'
import { transcriptOf } from '../formats/transcripts.ts'
import { FakeBlobs } from '../jobs/fake-blobs.ts'
import { FakeQueue } from '../jobs/fake-queue.ts'

export const FACTS: EngineFacts = {
  modelId: 'syvai/hviske-v2',
  revision: '85fadab',
  device: 'cpu',
  deviceName: 'a processor',
  computeType: 'float32',
  languages: ['en', 'da'],
  canTranslate: true,
  vad: 'silero',
  slots: 4,
  repairs: [],
  reasons: { device: 'there is no GPU' },
  versions: { python: '3.12.3' },
  readyAtUnixSeconds: 1_790_000_000,
}

/** Answers every recording with the same transcript and remembers what it was asked. */
class FakeTranscriber implements Transcriber {
  transcript: Transcript = transcriptOf([' Toget kører', ' klokken otte.'])
  detected: DetectedLanguage = {
    language: 'da',
    probability: 0.9,
    languages: [
      { language: 'da', probability: 0.9 },
      { language: 'no', probability: 0.1 },
    ],
    durationSeconds: 2.5,
  }
  readonly asked: { source: AudioSource; options: TranscribeOptions; signal: AbortSignal }[] = []
  /** Called before the answer: to look at the file, to fail, to wait. */
  before: (source: AudioSource, signal: AbortSignal) => Promise<void> = async () => {}
  /** What is told before the transcript. */
  onTheWay: (signal: AbortSignal) => AsyncIterable<TranscriptEvent> = async function* () {}

  async *transcribe(
    source: AudioSource,
    options: TranscribeOptions,
    signal: AbortSignal,
  ): AsyncGenerator<TranscriptEvent, void, undefined> {
    this.asked.push({ source, options, signal })
    await this.before(source, signal)
    yield* this.onTheWay(signal)
    yield { kind: 'done', transcript: this.transcript } as const
  }

  async detectLanguage(source: AudioSource, signal: AbortSignal) {
    await this.before(source, signal)
    return this.detected
  }
}

export async function startParts(
  settings: Record<string, string> = {},
  changes: Partial<Config> = {},
  { jobs: moreOfJobs = {}, ...more }: Partial<Omit<Parts, 'jobs'>> & { jobs?: Partial<JobParts> } = {},
) {
  const spoolDir = await mkdtemp(join(tmpdir(), 'hviske-http-'))
  const transcriber = new FakeTranscriber()
  const logged: Record<string, unknown>[] = []
  const workers: Member[] = []
  const engine: { state: EngineState } = { state: { phase: 'ready', facts: FACTS } }
  const queue: { active: number; waiting: number; waitSeconds?: number } = { active: 1, waiting: 2 }
  /** Tests put a refusal here. */
  const door = { requireRoom: () => {} }
  const jobQueue = new FakeQueue()
  const blobs = new FakeBlobs()
  const nowMs = () => jobQueue.nowMs
  const config = { ...readConfig(settings), ...changes }
  const log = createLog('debug', (line) => logged.push(JSON.parse(line) as Record<string, unknown>))
  const uploadDir = await mkdtemp(join(tmpdir(), 'hviske-uploads-'))
  const uploads = await Uploads.open({
    directory: uploadDir,
    lifetimeSeconds: 86_400,
    maxBytes: config.maxUploadBytes,
    disk: diskRoomOf(uploadDir, 0),
    nowMs: Date.now,
  })
  const parts: Parts = {
    config,
    transcriber,
    engineState: () => engine.state,
    queueState: () => queue,
    workers: () => workers,
    requireRoom: () => door.requireRoom(),
    spoolDir,
    log,
    keys: new KeyRing({ fixed: config.apiKeys, log }),
    failedKeys: new FailedKeys(config.maxFailedKeysPerMinute),
    limits: new ClientLimits({
      requestsPerMinute: config.maxRequestsPerMinute,
      concurrentRequests: config.maxRequestsAtOnce,
      audioSecondsPerDay: config.maxAudioSecondsPerDay,
    }),
    metrics: createMetrics(Object.keys(FAILURES)),
    disk: diskRoomOf(spoolDir, 0),
    uploads,
    jobs: {
      queue: jobQueue,
      desk: new JobDesk({ queue: jobQueue, blobs, nowMs }),
      keptSeconds: 604_800,
      afterwards: new Set(),
      nowMs,
      ...moreOfJobs,
    },
    ...more,
  }
  return {
    app: createApp(parts),
    parts,
    transcriber,
    logged,
    engine,
    door,
    queue,
    workers,
    jobQueue,
    blobs,
    leftovers: () => readdir(spoolDir),
    async [Symbol.asyncDispose]() {
      uploads[Symbol.dispose]()
      for (const directory of [spoolDir, uploadDir]) await rm(directory, { recursive: true, force: true })
    },
  }
}

/** A form with a file, as browsers and SDKs send it. */
export function form(fields: Record<string, string | string[]> = {}, content = 'audio'): FormData {
  const body = new FormData()
  for (const [name, values] of Object.entries(fields))
    for (const value of [values].flat()) body.append(name, value)
  body.append('file', new File([content], 'møde.wav'))
  return body
}

/** The error of OpenAI's envelope. */
export async function errorOf(response: Response) {
  const body = (await response.json()) as {
    error: { message: string; type: string; param: string | null; code: string }
  }
  return { status: response.status, ...body.error }
}

/** A body as it comes, one piece at a time: the next is asked for when the test asks. */
export function piecesOf(response: Response) {
  const reader = response.body?.getReader()
  if (!reader) throw new Error('there is no body')
  const utf8 = new TextDecoder()
  return {
    next: async () => {
      const { value } = await reader.read()
      return value === undefined ? undefined : utf8.decode(value, { stream: true })
    },
    cancel: async () => reader.cancel(),
  }
}
