/** The pieces that all JSON answers share: how exactly numbers are told, and how a transcript's facts are named. */
import { englishName } from '../languages.ts'
import type { DroppedText, Transcript } from '../transcript.ts'

/** To the millisecond. */
export function roundSeconds(seconds: number): number {
  return Math.round(seconds * 1000) / 1000
}

/** To six decimals; also for log probabilities and ratios. */
export function roundProbability(value: number): number {
  return Math.round(value * 1e6) / 1e6
}

export function times({
  startSeconds,
  endSeconds,
}: {
  readonly startSeconds: number
  readonly endSeconds: number
}) {
  return { start: roundSeconds(startSeconds), end: roundSeconds(endSeconds) }
}

/** OpenAI answers with the English name, and Vercel's AI SDK understands nothing else; the code stands beside it. */
export function languageFields({ language, languageProbability }: Transcript) {
  return {
    language: englishName(language),
    language_code: language,
    ...(languageProbability !== undefined && { language_probability: roundProbability(languageProbability) }),
  }
}

/** Absent when nothing was removed, which is nearly always. */
export function droppedField(dropped: readonly DroppedText[]) {
  if (dropped.length === 0) return {}
  return { dropped: dropped.map(({ reason, text, ...span }) => ({ reason, ...times(span), text })) }
}

/** What OpenAI would bill: the recording's length, begun seconds counted whole as in their own answers. */
export function usageOf({ durationSeconds }: Transcript) {
  return { type: 'duration', seconds: Math.ceil(durationSeconds) } as const
}
