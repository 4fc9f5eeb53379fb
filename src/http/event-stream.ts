/**
 * Server-sent events as OpenAI sends them: unnamed, JSON in one `data` line each, `[DONE]` after the last.
 * What the events are is not known here. https://html.spec.whatwg.org/multipage/server-sent-events.html
 */

export const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
} as const

/** A comment: every reader skips it. */
export const PING = ': ping\n\n'

/** The blank line is part of the event: without it Python's SDK drops the last one without a word. */
export function eventText(event: object): string {
  return `data: ${JSON.stringify(event)}\n\n`
}

/** @throws what `events` throws; then there is no `[DONE]`. */
export async function* eventTexts(events: AsyncIterable<object>): AsyncGenerator<string, void, undefined> {
  for await (const event of events) yield eventText(event)
  yield 'data: [DONE]\n\n'
}

/** One with a name, and a number from which a reader goes on when it comes back. */
export function namedEventText(name: string, event: object, number?: number): string {
  return `${number === undefined ? '' : `id: ${number}\n`}event: ${name}\n${eventText(event)}`
}
