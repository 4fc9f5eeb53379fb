/** An answer's body, chunk by chunk, as long as it keeps coming. What is in it is not known here. */
import type { Readable } from 'node:stream'
import { unreachable } from './refusals.ts'

/** In each time of patience: a byte now and then is there to keep us, not to bring us something. */
const LEAST_BYTES = 4096

/** Ends the body in any case. @throws Failure url_unreachable; the signal's reason; what the body breaks with */
export async function* chunksInTime(
  body: Readable,
  idleMs: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const end = () => body.on('error', () => {}).destroy(new Error('given up'))
  signal.addEventListener('abort', end, { once: true })
  const chunks = (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  let sinceBytes = 0
  let waitedMs = 0
  try {
    for (;;) {
      const askedMs = performance.now()
      const chunk = await nextChunk(chunks, { end, withinMs: idleMs - waitedMs, idleMs })
      if (chunk === undefined) return
      // Only their time counts, not what we need for a chunk between two.
      waitedMs += performance.now() - askedMs
      sinceBytes += chunk.byteLength
      if (sinceBytes >= LEAST_BYTES) sinceBytes = waitedMs = 0
      yield chunk
    }
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', end)
    end()
  }
}

interface Patience {
  readonly end: () => void
  readonly withinMs: number
  readonly idleMs: number
}

async function nextChunk(
  chunks: AsyncIterator<Uint8Array>,
  { end, withinMs, idleMs }: Patience,
): Promise<Uint8Array | undefined> {
  let isIdle = false
  const patience = setTimeout(() => {
    isIdle = true
    end()
  }, withinMs)
  try {
    const { value, done } = await chunks.next()
    return done === true ? undefined : value
  } catch (error) {
    throw isIdle ? unreachable(`next to nothing of it came for ${idleMs / 1000} seconds`, error) : error
  } finally {
    clearTimeout(patience)
  }
}
