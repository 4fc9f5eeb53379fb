/** The answer of `POST /transcribe`: the same transcript for people, without a model's inner figures. */
import type { Transcript } from '../transcript.ts'
import { guardFields, languageFields, roundProbability, roundSeconds, times } from './figures.ts'

export function readableJson(transcript: Transcript, { hasTimestamps }: { readonly hasTimestamps: boolean }) {
  return {
    text: transcript.text,
    ...(hasTimestamps && timestamps(transcript)),
    ...languageFields(transcript),
    duration: roundSeconds(transcript.durationSeconds),
    ...guardFields(transcript),
  }
}

function timestamps({ segments }: Transcript) {
  const words = segments.flatMap((segment) => segment.words ?? [])
  return {
    segments: segments.map((segment) => ({ ...times(segment), text: segment.text.trim() })),
    words: words.map((word) => ({
      word: word.word.trim(),
      ...times(word),
      probability: roundProbability(word.probability),
    })),
  }
}
