/**
 * The events on the way to a transcript become OpenAI's stream events. It decides what may be said when, and what is
 * counted; it does not know how events are written to a connection.
 */
import type { Segment, Transcript, TranscriptEvent } from '../transcript.ts'
import { languagesOf, logprobsOf } from './figures.ts'
import type { PlainOptions } from './plain-json.ts'
import { TrimmedText } from './trimmed-text.ts'

type Logprobs = ReturnType<typeof logprobsOf>

interface DeltaEvent {
  readonly type: 'transcript.text.delta'
  readonly delta: string
  readonly logprobs?: Logprobs
}

interface DoneEvent {
  readonly type: 'transcript.text.done'
  readonly text: string
  readonly languages?: ReturnType<typeof languagesOf>
  readonly logprobs?: Logprobs
  readonly usage: ReturnType<typeof tokenUsageOf>
}

export type StreamEvent = DeltaEvent | DoneEvent

/**
 * Any number of deltas, then `done`; joined, the deltas are its text. With logprobs a delta is whole segments: how
 * probable a token was is known only when its window has ended.
 *
 * @throws what `events` throws; Error when what was said is not how the text begins, and when there is no `done`.
 */
export async function* streamEvents(
  events: AsyncIterable<TranscriptEvent>,
  options: PlainOptions,
): AsyncGenerator<StreamEvent, void, undefined> {
  const deltas = new Deltas(options)
  for await (const event of events) {
    if (event.kind === 'done') {
      yield* deltas.restOf(event.transcript)
      yield done(event.transcript, options)
      return
    }
    if (event.kind === 'delta' && !options.hasLogprobs) yield* deltas.ofText(event.text)
    if (event.kind === 'segments' && options.hasLogprobs) yield* deltas.ofSegments(event.segments)
  }
  throw new Error('the transcript events ended without `done`')
}

class Deltas {
  readonly #text = new TrimmedText()
  readonly #hasLogprobs: boolean
  /** Segments of which nothing could be told yet: theirs is only space. */
  #held: readonly Segment[] = []
  #segmentsSeen = 0

  constructor({ hasLogprobs }: PlainOptions) {
    this.#hasLogprobs = hasLogprobs
  }

  ofText(text: string): DeltaEvent[] {
    return this.#delta(this.#text.add(text))
  }

  ofSegments(segments: readonly Segment[]): DeltaEvent[] {
    this.#held = [...this.#held, ...segments]
    this.#segmentsSeen += segments.length
    return this.ofText(segments.map(({ text }) => text).join(''))
  }

  /** What has not been told when all is known: nothing, unless the events left it to the transcript. */
  restOf({ text, segments }: Transcript): DeltaEvent[] {
    this.#held = [...this.#held, ...segments.slice(this.#segmentsSeen)]
    return this.#delta(this.#text.restOf(text))
  }

  #delta(delta: string): DeltaEvent[] {
    if (delta === '') return []
    const logprobs = logprobsOf(this.#held)
    this.#held = []
    return [{ type: 'transcript.text.delta', delta, ...(this.#hasLogprobs && { logprobs }) }]
  }
}

function done(transcript: Transcript, { hasLogprobs, listsLanguages }: PlainOptions): DoneEvent {
  return {
    type: 'transcript.text.done',
    text: transcript.text,
    ...(listsLanguages && { languages: languagesOf(transcript) }),
    ...(hasLogprobs && { logprobs: logprobsOf(transcript.segments) }),
    usage: tokenUsageOf(transcript),
  }
}

const SAMPLES_PER_SECOND = 16_000
/** Whisper's encoder makes one position of 20 ms. */
const SAMPLES_PER_POSITION = 320

/** Streams count tokens: OpenAI's SDKs refuse a duration here. What is counted: docs/decisions/0028-streams-count-tokens.md. */
function tokenUsageOf({ durationSeconds, promptTokens, segments }: Transcript) {
  const samples = Math.round(durationSeconds * SAMPLES_PER_SECOND)
  const audioTokens = Math.ceil(samples / SAMPLES_PER_POSITION)
  const inputTokens = audioTokens + promptTokens
  const outputTokens = segments.reduce((sum, { tokens }) => sum + tokens.length, 0)
  return {
    type: 'tokens',
    input_tokens: inputTokens,
    input_token_details: { text_tokens: promptTokens, audio_tokens: audioTokens },
    output_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
  } as const
}
