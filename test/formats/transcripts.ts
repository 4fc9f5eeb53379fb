/** Transcripts to test with, built from segment texts. */
import type { Segment, Transcript, Word } from '../../src/transcript.ts'
import { joinText } from '../../src/transcript.ts'

/** A word every 0.4 s with 0.1 s of silence after it. */
function wordsOf(text: string, startSeconds = 0): Word[] {
  return [...text.matchAll(/\s*\S+/g)].map(([word], index) => ({
    word,
    startSeconds: startSeconds + index * 0.5,
    endSeconds: startSeconds + index * 0.5 + 0.4,
    probability: 0.9,
  }))
}

export function segmentOf(text: string, startSeconds = 0, changes: Partial<Segment> = {}): Segment {
  const words = wordsOf(text, startSeconds)
  return {
    id: 0,
    seek: 0,
    startSeconds,
    endSeconds: words.at(-1)?.endSeconds ?? startSeconds,
    text,
    tokens: [1, 2],
    temperature: 0,
    avgLogprob: -0.1234567,
    compressionRatio: 1.1,
    noSpeechProb: 0.01,
    words,
    ...changes,
  }
}

export function transcriptOf(texts: readonly string[], changes: Partial<Transcript> = {}): Transcript {
  const segments: Segment[] = []
  for (const text of texts) {
    segments.push(segmentOf(text, (segments.at(-1)?.endSeconds ?? -0.1) + 0.1, { id: segments.length }))
  }
  return {
    task: 'transcribe',
    text: joinText(segments),
    language: 'da',
    promptTokens: 0,
    durationSeconds: (segments.at(-1)?.endSeconds ?? 0) + 0.25,
    segments,
    dropped: [],
    warnings: [],
    ...changes,
  }
}

/** Nobody speaks, and the language was to be detected: there is none. */
export function silentTranscript(): Transcript {
  const { language: _none, ...rest } = transcriptOf([])
  return rest
}
