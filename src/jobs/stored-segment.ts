/** A segment as it is written down, of a finished window and of a result alike. Perhaps by a later version: what is not known here is passed over. */
import { z } from 'zod'
import type { Segment } from '../transcript.ts'

const Word = z.object({
  word: z.string(),
  startSeconds: z.number(),
  endSeconds: z.number(),
  probability: z.number(),
})

const TokenLogprob = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.number()) })

export const StoredSegment: z.ZodType<Segment> = z.object({
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
  logprobs: z.array(TokenLogprob).exactOptional(),
})
