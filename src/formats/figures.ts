/** The pieces that all JSON answers share: how exactly numbers are told, and how a transcript's facts are named. */
import { englishName } from '../languages.ts'
import type { JudgedText, Segment, Transcript } from '../transcript.ts'

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

/**
 * OpenAI answers with the English name, and Vercel's AI SDK understands nothing else; the code stands beside it.
 * OpenAI's schema insists on the name, so a recording in which nobody speaks has one that is no language's.
 */
export function languageFields({ language, languageProbability }: Transcript) {
  if (language === undefined) return { language: 'unknown' }
  return {
    language: englishName(language),
    language_code: language,
    ...(languageProbability !== undefined && { language_probability: roundProbability(languageProbability) }),
  }
}

/**
 * A translation is written in English, whatever was spoken: OpenAI's `language` is that of the text. What was spoken
 * stands beside it under a name of our own.
 */
export function translationLanguageFields({ language, languageProbability }: Transcript) {
  return {
    language: 'english',
    language_code: 'en',
    ...(language !== undefined && {
      source_language: englishName(language),
      source_language_code: language,
    }),
    ...(languageProbability !== undefined && {
      source_language_probability: roundProbability(languageProbability),
    }),
  }
}

/** The languages heard; none when nobody speaks, whatever language the request named. */
export function languagesOf({ text, language }: Transcript) {
  return text === '' || language === undefined ? [] : [{ code: language }]
}

/** Every token of the text in order, as far as the segments tell them. */
export function logprobsOf(segments: readonly Segment[]) {
  return segments.flatMap(({ logprobs = [] }) =>
    logprobs.map(({ token, logprob, bytes }) => ({ token, logprob: roundProbability(logprob), bytes })),
  )
}

/** What the guards did, beside the text that they did it to. Each is absent when it is empty, which is nearly always. */
export function guardFields({ dropped, warnings }: Transcript) {
  return {
    ...(dropped.length > 0 && { dropped: dropped.map(judgedJson) }),
    ...(warnings.length > 0 && { warnings: warnings.map(judgedJson) }),
  }
}

function judgedJson({ reason, text, ...span }: JudgedText) {
  return { reason, ...times(span), text }
}

/** What OpenAI would bill: the recording's length, begun seconds counted whole as in their own answers. */
export function usageOf({ durationSeconds }: Transcript) {
  return { type: 'duration', seconds: Math.ceil(durationSeconds) } as const
}
