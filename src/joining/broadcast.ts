/**
 * What one piece of work says, for readers who come when they like and read as fast as they like: each hears all of it,
 * from the beginning. It does not know who they are or why they leave.
 */
import type { TranscriptEvent } from '../transcript.ts'
import { until } from '../until.ts'

interface Reader {
  readonly unread: TranscriptEvent[]
  news: PromiseWithResolvers<void>
}

export class Broadcast {
  /** Kept for whoever comes later. Folded, ten hours are a few thousand events, most of them holding what `done` holds too. */
  readonly #said: TranscriptEvent[] = []
  readonly #readers = new Set<Reader>()
  #end: { readonly failure?: { readonly reason: unknown } } | undefined

  say(event: TranscriptEvent): void {
    fold(this.#said, event)
    for (const { unread } of this.#readers) fold(unread, event)
    this.#wakeReaders()
  }

  end(): void {
    this.#end ??= {}
    this.#wakeReaders()
  }

  /** Readers are told after what was said before. */
  fail(reason: unknown): void {
    this.#end ??= { failure: { reason } }
    this.#wakeReaders()
  }

  /** @throws the reason given to `fail`; the signal's as soon as it aborts. */
  async *read(signal: AbortSignal): AsyncGenerator<TranscriptEvent, void, undefined> {
    const reader: Reader = { unread: [...this.#said], news: Promise.withResolvers() }
    this.#readers.add(reader)
    try {
      for (;;) {
        signal.throwIfAborted()
        const event = reader.unread.shift()
        if (event !== undefined) yield event
        else if (this.#end === undefined) await nextNews(reader, signal)
        else if (this.#end.failure === undefined) return
        else throw this.#end.failure.reason
      }
    } finally {
      this.#readers.delete(reader)
    }
  }

  #wakeReaders(): void {
    for (const { news } of this.#readers) news.resolve()
  }
}

async function nextNews(reader: Reader, signal: AbortSignal): Promise<void> {
  await until(reader.news.promise, signal)
  reader.news = Promise.withResolvers()
}

/**
 * Puts an event behind those that nobody has read yet. Of neighbours one is enough: deltas are joined, and of two reports
 * of progress the later one says all. So a reader who sleeps costs little, and nobody waits for it.
 */
function fold(events: TranscriptEvent[], event: TranscriptEvent): void {
  const last = events.at(-1)
  if (event.kind === 'delta' && last?.kind === 'delta') {
    events[events.length - 1] = { kind: 'delta', text: last.text + event.text }
  } else if (event.kind === 'progress' && last?.kind === 'progress') {
    events[events.length - 1] = event
  } else {
    events.push(event)
  }
}
