/**
 * What a window that is done leaves for another process: what was said in it, and where the next child goes on. Decides which
 * of what was stored can be gone on from; it knows neither who stores it nor how.
 */
import { z } from 'zod'
import type { WindowCheckpoint } from '../transcript.ts'
import { Checkpoint, PROTOCOL } from './protocol.ts'
import type { EngineState } from './state.ts'

/** Who made it, and what a child of the same kind understands. */
const ForEngine = z.strictObject({ maker: z.string(), place: Checkpoint })
type ForEngine = z.infer<typeof ForEngine>

const Word = z.strictObject({
  word: z.string(),
  startSeconds: z.number(),
  endSeconds: z.number(),
  probability: z.number(),
})

const TokenLogprob = z.strictObject({
  token: z.string(),
  logprob: z.number(),
  bytes: z.array(z.number()),
})

const Segment = z.strictObject({
  id: z.int().nonnegative(),
  seek: z.number(),
  startSeconds: z.number(),
  endSeconds: z.number(),
  text: z.string(),
  tokens: z.array(z.number()),
  temperature: z.number(),
  avgLogprob: z.number(),
  compressionRatio: z.number(),
  noSpeechProb: z.number(),
  words: z.array(Word).exactOptional(),
  logprobs: z.array(TokenLogprob).exactOptional(),
})

const Judged = z.strictObject({
  reason: z.string(),
  startSeconds: z.number(),
  endSeconds: z.number(),
  text: z.string(),
})

const Stored = z.strictObject({
  firstWindow: z.int().nonnegative(),
  windows: z.int().positive(),
  endSeconds: z.number(),
  segments: z.array(Segment),
  dropped: z.array(Judged),
  warnings: z.array(Judged),
  engine: ForEngine,
}) satisfies z.ZodType<WindowCheckpoint>

/**
 * What is done of a recording, of all its checkpoints in the order in which they were stored; undefined when that is nothing.
 * A later one counts for more: where a recording was begun again, what was there before is gone. What cannot be read, and what
 * comes after a gap, does not count: then some windows are computed once more.
 */
export function joinCheckpoints(stored: Iterable<unknown>): WindowCheckpoint | undefined {
  const row: WindowCheckpoint[] = []
  const done = () => row.at(-1)?.windows ?? 0
  for (const value of stored) {
    const { success, data: next } = Stored.safeParse(value)
    if (!success || next.firstWindow > done()) continue
    while (done() > next.firstWindow) row.pop()
    if (done() === next.firstWindow) row.push(next)
  }
  const last = row.at(-1)
  return (
    last && {
      ...last,
      firstWindow: 0,
      segments: row.flatMap(({ segments }) => segments),
      dropped: row.flatMap(({ dropped }) => dropped),
      warnings: row.flatMap(({ warnings }) => warnings),
    }
  )
}

/** Undefined when it is not ours: another version's, or damaged. @throws Error when it is not the recording's beginning: a bug. */
export function forEngineOf({ firstWindow, engine }: WindowCheckpoint): ForEngine | undefined {
  if (firstWindow !== 0) throw new Error('a recording is resumed from all of its checkpoints, joined')
  return ForEngine.safeParse(engine).data
}

/**
 * Whose checkpoints are understood: another model would go on in another voice, another speech detector divides elsewhere.
 * Undefined while no child is ready.
 */
export function makerOf(state: EngineState): string | undefined {
  if (state.phase !== 'ready') return undefined
  const { modelId, revision, vad } = state.facts
  return [`protocol ${PROTOCOL}`, modelId, revision ?? 'no revision', vad].join(', ')
}
