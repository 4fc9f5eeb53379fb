/**
 * The currency of the house: what a recording says, and the events on the way there.
 * Times are seconds from the start of the recording. This file imports nothing.
 */

/** One spoken word. `word` keeps Whisper's leading space, so joined words are the segment's text. */
export interface Word {
  readonly word: string
  readonly startSeconds: number
  readonly endSeconds: number
  readonly probability: number
}

/** One token of the text and the logarithm of the probability that the model gave it. */
interface TokenLogprob {
  /** Not always whole characters: a token may be a part of one. Then the bytes say more. */
  readonly token: string
  readonly logprob: number
  /** The token's bytes; those of a segment's tokens joined are the segment's text in UTF-8. */
  readonly bytes: readonly number[]
}

/** A stretch of speech with OpenAI's ten figures; `words` only when word timestamps were asked for. */
export interface Segment {
  readonly id: number
  /** Start of the decoding window in frames of 10 ms, as OpenAI's `seek`. */
  readonly seek: number
  readonly startSeconds: number
  readonly endSeconds: number
  /** Keeps Whisper's leading space. */
  readonly text: string
  readonly tokens: readonly number[]
  readonly temperature: number
  readonly avgLogprob: number
  readonly compressionRatio: number
  readonly noSpeechProb: number
  readonly words?: readonly Word[]
  /** Only when they were asked for; one for each of `tokens`. */
  readonly logprobs?: readonly TokenLogprob[]
}

/** Text that a guard removed, or kept and doubts, and why: never silently. */
export interface JudgedText {
  readonly reason: string
  readonly startSeconds: number
  readonly endSeconds: number
  readonly text: string
}

/** How a recording is divided at its silences. What is absent is as the speech detector has it. */
export interface SpeechDetection {
  /** From which probability on a stretch is speech. */
  readonly threshold?: number
  /** What is kept before and after speech. */
  readonly paddingMs?: number
  /** A silence so long divides speech. */
  readonly silenceMs?: number
  /** Longer speech is divided, at its quietest place; the model hears no more than that, and the padding, at once. */
  readonly maxSpeechSeconds?: number
}

/** The least and the most that may be asked for. Where the numbers come from: PROTOCOL.md, `vad`. */
export const SPEECH_DETECTION_RANGES = {
  threshold: { least: 0, most: 1 },
  paddingMs: { least: 0, most: 5000 },
  silenceMs: { least: 0, most: 4000 },
  maxSpeechSeconds: { least: 5, most: 29 },
} as const satisfies Record<keyof SpeechDetection, { least: number; most: number }>

export type Task = 'transcribe' | 'translate'

/** `text` is always the joined segment texts, trimmed at both ends. */
export interface Transcript {
  readonly task: Task
  readonly text: string
  /** ISO code of the language spoken. Absent when it was to be detected and nobody speaks: then there is none. */
  readonly language?: string
  /** Absent when the client named the language: then nothing was measured. */
  readonly languageProbability?: number
  readonly durationSeconds: number
  /** How many tokens the prompt and the keywords became, as much of them as the model was told. */
  readonly promptTokens: number
  readonly segments: readonly Segment[]
  /** What a guard removed from the text. */
  readonly dropped: readonly JudgedText[]
  /** What stands in the text although a guard doubts it. */
  readonly warnings: readonly JudgedText[]
}

/**
 * Windows that are done, in a row: what was said in them, and how the engine goes on after them, in another process if need
 * be. It is plain JSON, to be stored as it is. Whoever stores those of a recording keeps its segments as well.
 */
export interface WindowCheckpoint {
  /** The number of the first of these windows. */
  readonly firstWindow: number
  /** How many windows of the recording are done with these. */
  readonly windows: number
  /** Where the last of them ends. */
  readonly endSeconds: number
  readonly segments: readonly Segment[]
  readonly dropped: readonly JudgedText[]
  readonly warnings: readonly JudgedText[]
  /** For the engine alone. */
  readonly engine: unknown
}

/**
 * What happens on the road: any number of segments, deltas and reports of progress, then exactly one `done`. `decoded`
 * comes once, when the recording's length is known; until then a progress' `durationSeconds` is what is known so far.
 * Deltas, when they were asked for, are the segments' texts ahead of them: joined and trimmed they are the transcript's.
 * A checkpoint, for who wants them, comes after the segments of each window, and also when there were none.
 */
export type TranscriptEvent =
  | { readonly kind: 'decoded'; readonly durationSeconds: number }
  | { readonly kind: 'delta'; readonly text: string }
  | { readonly kind: 'progress'; readonly processedSeconds: number; readonly durationSeconds: number }
  | { readonly kind: 'segments'; readonly segments: readonly Segment[] }
  | { readonly kind: 'checkpoint'; readonly checkpoint: WindowCheckpoint }
  | { readonly kind: 'done'; readonly transcript: Transcript }

/** One language and how probable the model finds it. */
interface LanguageGuess {
  readonly language: string
  readonly probability: number
}

/** All languages the model knows, most probable first. */
export interface DetectedLanguage {
  readonly language: string
  readonly probability: number
  readonly languages: readonly LanguageGuess[]
  /** The recording's length. Absent when the language was found before the end of the recording had been seen. */
  readonly durationSeconds?: number
}

/** The text of a transcript as clients read it: joined segments, without the outer spaces. */
export function joinText(segments: readonly Segment[]): string {
  return segments
    .map((segment) => segment.text)
    .join('')
    .trim()
}

/**
 * "Not streaming" is waiting for the last event.
 *
 * @throws Error when the stream ends without `done`: a bug of whoever produced it.
 */
export async function collect(events: AsyncIterable<TranscriptEvent>): Promise<Transcript> {
  for await (const event of events) {
    if (event.kind === 'done') return event.transcript
  }
  throw new Error('the transcript events ended without `done`')
}
