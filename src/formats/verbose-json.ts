/**
 * OpenAI's verbose_json, with ours beside it: each segment's own words, the language's code and probability, and
 * what the guards removed or doubt. Extra fields pass the strict validation of OpenAI's SDKs.
 */
import type { Segment, Transcript, Word } from '../transcript.ts'
import {
  guardFields,
  languageFields,
  roundProbability,
  roundSeconds,
  times,
  translationLanguageFields,
  usageOf,
} from './figures.ts'

export interface VerboseOptions {
  /** `timestamp_granularities` asked for `word`. */
  readonly hasWords: boolean
  /** Vexa reads `language` as an ISO code and times as `audio_start`, `audio_end`. */
  readonly isForVexa: boolean
}

export function verboseJson(transcript: Transcript, { hasWords, isForVexa }: VerboseOptions) {
  const { segments } = transcript
  return {
    task: transcript.task,
    ...(isForVexa ? languageForVexa(transcript) : languageForOpenAi(transcript)),
    duration: roundSeconds(transcript.durationSeconds),
    text: transcript.text,
    // Always: OpenAI leaves them out when only words are asked for, but Vexa asks for words and reads segments.
    segments: segments.map((segment) => ({
      ...segmentJson(segment),
      ...(isForVexa && audioTimes(segment)),
      ...((hasWords || isForVexa) && segment.words && { words: segment.words.map(nestedWord) }),
    })),
    ...(hasWords && { words: segments.flatMap(({ words = [] }) => words).map(topLevelWord) }),
    usage: usageOf(transcript),
    ...guardFields(transcript),
  }
}

function languageForOpenAi(transcript: Transcript) {
  return transcript.task === 'translate' ? translationLanguageFields(transcript) : languageFields(transcript)
}

/** The code of what is spoken, in translations too: Vexa's older bots pin their next requests to it. */
function languageForVexa(transcript: Transcript) {
  const { language } = transcript
  return { ...languageFields(transcript), ...(language !== undefined && { language }) }
}

function segmentJson(segment: Segment) {
  return {
    id: segment.id,
    seek: segment.seek,
    ...times(segment),
    text: segment.text,
    tokens: segment.tokens,
    temperature: segment.temperature,
    avg_logprob: roundProbability(segment.avgLogprob),
    compression_ratio: roundProbability(segment.compressionRatio),
    no_speech_prob: roundProbability(segment.noSpeechProb),
  }
}

function audioTimes({ startSeconds, endSeconds }: Segment) {
  return { audio_start: roundSeconds(startSeconds), audio_end: roundSeconds(endSeconds) }
}

/** Keeps its leading space: Vexa joins these words verbatim. */
function nestedWord(word: Word) {
  return { word: word.word, ...times(word), probability: roundProbability(word.probability) }
}

function topLevelWord(word: Word) {
  return { word: bare(word.word), ...times(word) }
}

/** Spaces, quotation marks, brackets, dashes and sentence marks at either end; `%`, `&` and the minus of `-5` are part of the word. */
const OUTER_MARKS =
  /^(?:[\s\p{Ps}\p{Pe}\p{Pi}\p{Pf}.,!?;:…"'¡¿。、，！？；：]|\p{Pd}(?!\d))+|[\s\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Pd}.,!?;:…"'¡¿。、，！？；：]+$/gu

/** As OpenAI's words stand, without punctuation. A word that is nothing else is kept: no word may vanish. */
function bare(word: string): string {
  return word.replace(OUTER_MARKS, '') || word.trim()
}
