/** OpenAI's json: the text, what it cost, and what else the request asked to be told. */
import type { Transcript } from '../transcript.ts'
import { languagesOf, logprobsOf, usageOf } from './figures.ts'

export interface PlainOptions {
  /** `include` asked for `logprobs`. */
  readonly hasLogprobs: boolean
  /** Whether the languages heard are listed, as OpenAI does for `gpt-transcribe`. */
  readonly listsLanguages: boolean
}

export function plainJson(transcript: Transcript, { hasLogprobs, listsLanguages }: PlainOptions) {
  return {
    text: transcript.text,
    ...(listsLanguages && { languages: languagesOf(transcript) }),
    ...(hasLogprobs && { logprobs: logprobsOf(transcript.segments) }),
    usage: usageOf(transcript),
  }
}
