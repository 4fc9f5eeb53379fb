/** A request body as chunks that are counted and waited for, but not for ever. What is in them is the parser's business. */
import { Failure } from '../failure.ts'

export interface BodyLimits {
  /** Of the whole body, as OpenAI counts. */
  readonly maxBodyBytes: number
  /** A client that sends next to nothing for so long has gone, or only wants to be waited for. Slow ones may take all day. */
  readonly idleMs: number
  /** When it aborts, no more is read; its reason is what the client is told. */
  readonly ending?: AbortSignal
}

/**
 * What must come in that time. With the usual minute it is a tenth of what speech takes in the thriftiest codec, so that a
 * recording may be sent while it is being made, and 4096 times what keeps a connection open one byte at a time.
 */
const LEAST_BYTES = 4096

/**
 * The reader is let go, never cancelled: cancelling closes the socket, and the client would not learn why it was refused.
 *
 * @throws Failure file_too_large, request_timeout, client_closed_request; the reason of `ending`
 */
export async function* chunksOf(
  body: Request['body'],
  limits: BodyLimits,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (signal.aborted) throw hungUp(signal.reason)
  if (body === null) return
  const reader = body.getReader()
  const letGo = () => reader.releaseLock() // makes a read that is waiting reject
  signal.addEventListener('abort', letGo)
  limits.ending?.addEventListener('abort', letGo)
  let receivedBytes = 0
  let sinceBytes = 0
  let waitedMs = 0
  try {
    for (;;) {
      limits.ending?.throwIfAborted()
      const askedMs = performance.now()
      const chunk = await nextChunk(reader, limits, limits.idleMs - waitedMs)
      if (chunk === undefined) return
      receivedBytes += chunk.byteLength
      sinceBytes += chunk.byteLength
      waitedMs += performance.now() - askedMs
      if (sinceBytes >= LEAST_BYTES) sinceBytes = waitedMs = 0
      if (receivedBytes > limits.maxBodyBytes) throw tooLarge(limits)
      yield chunk
    }
  } finally {
    signal.removeEventListener('abort', letGo)
    limits.ending?.removeEventListener('abort', letGo)
    letGo()
    void discardRest(body) // nobody waits for it: the answer goes out meanwhile
  }
}

/** Only the client's time counts, not what we need for a chunk between two reads. */
async function nextChunk(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  limits: BodyLimits,
  withinMs: number,
): Promise<Uint8Array | undefined> {
  let isIdle = false
  let lastLook: NodeJS.Immediate | undefined
  const giveUp = () => {
    isIdle = true
    reader.releaseLock()
  }
  // What arrived while we ourselves stood still lies there unread; it is read before the next turn of the event loop.
  const patience = setTimeout(() => (lastLook = setImmediate(giveUp)), Math.max(0, withinMs))
  try {
    return (await reader.read()).value
  } catch (cause) {
    limits.ending?.throwIfAborted()
    throw isIdle ? nothingCame(limits) : hungUp(cause)
  } finally {
    clearTimeout(patience)
    clearImmediate(lastLook)
  }
}

/**
 * After a refusal the client still sends. Left unread, that blocks the connection until the HTTP server cuts it half a
 * second later, and with it whatever request came next (seen with undici). The same server bounds this reading.
 */
async function discardRest(body: NonNullable<Request['body']>): Promise<void> {
  const reader = body.getReader()
  try {
    while (!(await reader.read()).done);
  } catch {
    // The connection is gone, and the rest with it.
  }
}

export function tooLarge({ maxBodyBytes }: BodyLimits): Failure {
  return new Failure('file_too_large', `The request is larger than ${maxBodyBytes} bytes.`, { param: 'file' })
}

export function hungUp(cause: unknown): Failure {
  return new Failure('client_closed_request', 'The client closed the connection during the upload.', {
    cause,
  })
}

function nothingCame({ idleMs }: BodyLimits): Failure {
  const message = `Next to nothing of the upload arrived for ${idleMs / 1000} seconds.`
  return new Failure('request_timeout', message)
}
