/**
 * What a server with an engine tells the others of itself: a small blob in the store that all share. It decides what is
 * told; who reads it, and what a silence means, is decided by whoever reads.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { EngineFacts, EngineState } from '../engine/state.ts'
import type { Blobs } from '../jobs/blobs.ts'
import type { Log } from '../log.ts'

export const BEGINNING = 'workers/'
const ENDING = '.json'
/** Unless the settings have it more often. */
export const TELL_EVERY_MS = 10_000
/** A phase that has changed is told sooner. */
const LOOK_AT_PHASE_EVERY_MS = 500

const Facts: z.ZodType<EngineFacts> = z.object({
  modelId: z.string(),
  revision: z.string().nullable(),
  device: z.string(),
  deviceName: z.string(),
  computeType: z.string(),
  languages: z.array(z.string()),
  canTranslate: z.boolean(),
  vad: z.string(),
  slots: z.number(),
  repairs: z.array(z.string()),
  reasons: z.record(z.string(), z.string()),
  versions: z.record(z.string(), z.string()),
  readyAtUnixSeconds: z.number(),
})

const Load = z.object({
  /** Recordings in the engine, and those that wait for it. */
  active: z.int(),
  waiting: z.int(),
  /** How many it works on at once. */
  places: z.int(),
})
export type Load = z.output<typeof Load>

/** Written by one version of this program and read by another: an earlier one told no more than the first three. */
export const Word = z.object({
  /** Counts what has been told. */
  beat: z.int(),
  phase: z.string(),
  /** When it is ready. */
  facts: Facts.exactOptional(),
  name: z.string().exactOptional(),
  /** So often it tells something. */
  everyMs: z.number().default(TELL_EVERY_MS),
  /** What the engine is doing when it is not ready, or why it cannot work. */
  message: z.string().exactOptional(),
  /** It has been told to stop. */
  isEnding: z.boolean().default(false),
  load: Load.exactOptional(),
})
export type Word = z.output<typeof Word>

/** What a server knows of itself. */
export interface Self {
  /** Of this process: lower-case letters, digits and dashes. */
  readonly id: string
  /** For people. Two may have the same. */
  readonly name: string
  readonly state: () => EngineState
  readonly load: () => Load
  readonly isEnding: () => boolean
}

const keyOf = (id: string) => `${BEGINNING}${id}${ENDING}`
export const idOf = (key: string) => key.slice(BEGINNING.length, -ENDING.length)

/** All but what counts and times it. */
export function wordOf({ name, state, load, isEnding }: Self): Omit<Word, 'beat' | 'everyMs'> {
  const told = state()
  return {
    phase: told.phase,
    ...(told.phase === 'ready' && { facts: told.facts }),
    ...('message' in told && { message: told.message }),
    name,
    isEnding: isEnding(),
    load: load(),
  }
}

export interface TellingParts {
  readonly blobs: Pick<Blobs, 'put' | 'remove'>
  readonly self: Self
  readonly everyMs: number
  readonly log: Log
}

/** Until it is disposed of; then nothing of it is left. */
export function tellOfWorker({ blobs, self, everyMs, log }: TellingParts): AsyncDisposable {
  const over = new AbortController()
  const { signal } = over
  const key = keyOf(self.id)
  const tell = async (word: Word) => {
    await blobs
      .put(key, JSON.stringify(word), signal)
      .catch((error: unknown) => signal.aborted || log.warn('nobody could be told of this worker', { error }))
  }
  const telling = (async () => {
    for (let beat = 1; !signal.aborted; beat += 1) {
      const told = wordOf(self)
      await tell({ ...told, beat, everyMs })
      const isAsTold = () => self.state().phase === told.phase && self.isEnding() === told.isEnding
      const nextAtMs = performance.now() + everyMs
      while (!signal.aborted && isAsTold() && performance.now() < nextAtMs) {
        await pause(Math.min(LOOK_AT_PHASE_EVERY_MS, everyMs), signal)
      }
    }
  })()
  return {
    [Symbol.asyncDispose]: async () => {
      over.abort()
      await telling
      await blobs
        .remove(key)
        .catch((error: unknown) => log.warn('a worker that ends is still told of', { error }))
    },
  }
}

export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => {})
}
