// A worker on fakes: a queue and blobs in memory, and a road that does what the test says.
import { randomUUID } from 'node:crypto'
import { audioKey } from '../../src/jobs/blob-keys.ts'
import { BlobMissing } from '../../src/jobs/blobs.ts'
import { JobOrder } from '../../src/jobs/job.ts'
import { type Runner, type RunnerParts, startRunner } from '../../src/jobs/runner.ts'
import { createLog } from '../../src/log.ts'
import type { AudioSource, Transcriber } from '../../src/transcriber.ts'
import type { Transcript, TranscriptEvent, WindowCheckpoint } from '../../src/transcript.ts'
import { segmentOf, transcriptOf } from '../formats/transcripts.ts'
import { OPTIONS } from '../road.ts'
import { FakeBlobs } from './fake-blobs.ts'
import { FakeQueue } from './fake-queue.ts'

export const NEVER = new AbortController().signal

/** Recordings lie where their keys say. */
class FileBlobs extends FakeBlobs {
  override asFile(key?: string): never {
    return (async () => {
      if (key === undefined || !this.kept.has(key)) throw new BlobMissing(String(key))
      return { path: key, [Symbol.asyncDispose]: async () => {} }
    })() as never
  }
}

export type Walk = (source: AudioSource, signal: AbortSignal) => AsyncIterable<TranscriptEvent>

export class Workplace {
  readonly queue = new FakeQueue()
  readonly blobs = new FileBlobs()
  /** What the runner waited for before it tried again. */
  readonly pauses: number[] = []

  /** A job with its recording. */
  async handIn(changes: Partial<JobOrder> = {}): Promise<string> {
    const id = randomUUID()
    await this.blobs.put(audioKey(id), 'RIFF')
    await this.queue.add(orderOf(id, changes))
    return id
  }

  start(walk: Walk, parts: Partial<RunnerParts> = {}): Runner {
    return startRunner({
      queue: this.queue,
      blobs: this.blobs,
      transcriber: roadOf(walk),
      directory: '/nowhere',
      fetchInput: async ({ kind }) => ({ path: `fetched ${kind}`, [Symbol.asyncDispose]: async () => {} }),
      joinCheckpoints: (stored) => stored.at(-1) as WindowCheckpoint | undefined,
      log: createLog('silent'),
      atOnce: { interactive: 1, batch: 1 },
      pause: async (seconds) => void this.pauses.push(seconds),
      ...parts,
    })
  }

  /** Resolves when the job has ended, with how. */
  async ended(id: string): Promise<string | undefined> {
    for await (const _event of this.queue.events(id, 0, NEVER));
    return (await this.queue.find(id))?.state
  }
}

export function orderOf(id: string, changes: Partial<JobOrder> = {}): JobOrder {
  return JobOrder.parse({
    id,
    lane: 'batch',
    input: { kind: 'blob', key: audioKey(id), sizeBytes: 4 },
    options: OPTIONS,
    format: 'json',
    rendering: { hasWords: false, isForVexa: false, hasLogprobs: false, listsLanguages: false },
    metadata: {},
    keepsAudio: false,
    createdAtMs: 1_790_000_000_000,
    ...changes,
  })
}

function roadOf(walk: Walk): Transcriber {
  return {
    transcribe: (source, _options, signal) => walk(source, signal),
    detectLanguage: async () => ({ language: 'da', probability: 1, languages: [] }),
  }
}

export const WHOLE: Transcript = transcriptOf([' Toget kører', ' klokken otte.'])

/** Of one window. */
export function checkpointOf(firstWindow: number, text: string): WindowCheckpoint {
  return {
    firstWindow,
    windows: firstWindow + 1,
    endSeconds: (firstWindow + 1) * 10,
    segments: [segmentOf(text, firstWindow * 10, { id: firstWindow })],
    dropped: [],
    warnings: [],
    engine: null,
  }
}
