/** How a finished window is written down, and read again by another process or another version. Both drivers write it alike. */
import { z } from 'zod'
import type { Segment } from '../transcript.ts'
import type { FinishedWindow } from './job.ts'

const Word = z.object({
  word: z.string(),
  startSeconds: z.number(),
  endSeconds: z.number(),
  probability: z.number(),
})

const Logprob = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.number()) })

const StoredSegment: z.ZodType<Segment> = z.object({
  id: z.number(),
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
  logprobs: z.array(Logprob).exactOptional(),
})

const StoredWindow: z.ZodType<FinishedWindow> = z.object({
  number: z.int().nonnegative(),
  segments: z.array(StoredSegment),
  processedSeconds: z.number(),
  durationSeconds: z.number(),
  checkpoint: z.unknown(),
})

export function windowText(window: FinishedWindow): string {
  return JSON.stringify(window)
}

/** @throws ZodError or SyntaxError when it is not what `windowText` writes. */
export function windowOf(text: string): FinishedWindow {
  return StoredWindow.parse(JSON.parse(text))
}
