/**
 * The bytes of `render` in the pieces in which they become final, and what may stand before the last of them without
 * changing what is read. It does not know who wants to have them early, or why.
 */
import { collect, type TranscriptEvent } from '../transcript.ts'
import { type RenderOptions, type ResponseFormat, render } from './render.ts'
import { TrimmedText } from './trimmed-text.ts'

interface Delay {
  /** What a body begins with, whatever follows. */
  readonly beginning: string
  /** What may be sent while there is nothing to say; absent where that would be read. */
  readonly filler?: string
}

/**
 * Whitespace before JSON is part of JSON (RFC 8259 §2), and line ends after WebVTT's first line are part of WebVTT
 * (https://www.w3.org/TR/webvtt1/#syntax). SubRip has no specification, but readers skip empty lines before the first cue;
 * two at a time, since one makes subsrt-ts lose that cue. Plain text has nothing that says nothing.
 */
export const DELAYS: Readonly<Record<ResponseFormat, Delay>> = {
  json: { beginning: '', filler: ' ' },
  verbose_json: { beginning: '', filler: ' ' },
  vtt: { beginning: 'WEBVTT\n', filler: '\n' },
  srt: { beginning: '', filler: '\n\n' },
  text: { beginning: '' },
}

/** What follows the beginning: joined with it, what `render` makes of the transcript. No piece is empty. @throws what `events` throws. */
export async function* renderInPieces(
  events: AsyncIterable<TranscriptEvent>,
  format: ResponseFormat,
  options: RenderOptions,
): AsyncGenerator<string, void, undefined> {
  if (format === 'text') return yield* textInPieces(events, options)
  const { body } = render(await collect(events), format, options)
  const rest = body.slice(DELAYS[format].beginning.length)
  if (rest !== '') yield rest
}

/** The windows' texts, as they become final. */
async function* textInPieces(
  events: AsyncIterable<TranscriptEvent>,
  options: RenderOptions,
): AsyncGenerator<string, void, undefined> {
  const told = new TrimmedText()
  for await (const event of events) {
    if (event.kind === 'done') return yield told.restOf(render(event.transcript, 'text', options).body)
    if (event.kind !== 'segments') continue
    const piece = told.add(event.segments.map(({ text }) => text).join(''))
    if (piece !== '') yield piece
  }
  throw new Error('the transcript events ended without `done`')
}
