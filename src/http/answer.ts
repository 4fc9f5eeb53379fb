/** A transcript as the answer to a request: whole, or as it is being made. It does not know what the fields were called. */
import type { Context } from 'hono'
import { DELAYS, renderInPieces } from '../formats/pieces.ts'
import { CONTENT_TYPES, type RenderOptions, type ResponseFormat } from '../formats/render.ts'
import { streamEvents } from '../formats/stream-events.ts'
import type { TranscribeOptions } from '../transcriber.ts'
import { collect, type Transcript, type TranscriptEvent } from '../transcript.ts'
import type { Upload } from '../upload/receive.ts'
import { SILENCE_MS } from './begun-answer.ts'
import { EVENT_STREAM_HEADERS, eventText, eventTexts, PING } from './event-stream.ts'
import { type LongBody, longAnswer } from './long-answer.ts'
import type { HttpEnv, Parts } from './parts.ts'
import { noteLength } from './speech-facts.ts'
import { envelope } from './told.ts'
import { audioSource } from './upload-identity.ts'

/** What a request wants, after its fields have been understood. */
export interface Wish {
  readonly options: TranscribeOptions
  readonly format: ResponseFormat
  readonly rendering: RenderOptions
  readonly isStreamed: boolean
}

/** Takes the upload over: it is disposed of when the answer has ended, however it ends. @throws Failure before the answer has begun. */
export async function answer(
  c: Context<HttpEnv>,
  parts: Parts,
  upload: Upload,
  wish: Wish,
): Promise<Response> {
  const options = wish.isStreamed ? streamedOptions(wish) : wish.options
  c.get('speech').isStreamed = wish.isStreamed
  const transcribe = (signal: AbortSignal) => transcribed(c, parts, upload, options, signal)
  const body = wish.isStreamed ? streamed(transcribe, wish) : whole(transcribe, wish, parts)
  return longAnswer(c, parts, upload, body)
}

/** The same for JSON of somebody's own. */
export async function answerAsJson(
  c: Context<HttpEnv>,
  parts: Parts,
  upload: Upload,
  wish: { readonly options: TranscribeOptions; readonly toJson: (transcript: Transcript) => object },
): Promise<Response> {
  return longAnswer(c, parts, upload, {
    ...whenItIsWhole(parts),
    ...DELAYS.json,
    headers: { 'content-type': CONTENT_TYPES.json },
    pieces: async function* (signal) {
      const events = transcribed(c, parts, upload, wish.options, signal)
      yield JSON.stringify(wish.toJson(await collect(events)))
    },
  })
}

function transcribed(
  c: Context<HttpEnv>,
  parts: Parts,
  upload: Upload,
  options: TranscribeOptions,
  signal: AbortSignal,
): AsyncIterable<TranscriptEvent> {
  const speech = c.get('speech')
  speech.task = options.task
  return noteLength(speech, parts.transcriber.transcribe(audioSource(c, parts, upload), options, signal))
}

/** With logprobs the deltas are whole segments, and those come anyway. */
function streamedOptions({ options, rendering }: Wish): TranscribeOptions {
  return { ...options, wantsDeltas: !rendering.hasLogprobs }
}

type Transcribe = (signal: AbortSignal) => AsyncIterable<TranscriptEvent>

/** Events whatever the format: an SDK that asked for a stream reads nothing else, and says nothing of it. */
function streamed(transcribe: Transcribe, { rendering }: Wish): LongBody {
  return {
    headers: EVENT_STREAM_HEADERS,
    beginning: '',
    pieces: (signal) => eventTexts(streamEvents(transcribe(signal), rendering)),
    filler: PING,
    beginsWithFirstPiece: true,
    beginsAfterMs: SILENCE_MS,
    farewell: (failure) => eventText(envelope(failure)),
  }
}

function whole(transcribe: Transcribe, { format, rendering }: Wish, parts: Parts): LongBody {
  return {
    ...whenItIsWhole(parts),
    ...DELAYS[format],
    headers: { 'content-type': CONTENT_TYPES[format] },
    pieces: (signal) => renderInPieces(transcribe(signal), format, rendering),
  }
}

/** The setting's 0 is never. */
function whenItIsWhole({ config: { earlyHeadersAfterSeconds } }: Parts) {
  const beginsAfterMs = earlyHeadersAfterSeconds * 1000 || Number.POSITIVE_INFINITY
  return { beginsWithFirstPiece: false, beginsAfterMs } as const
}
