/** Waits for a promise, but not longer than a signal allows; and signals that are one. This file imports nothing. */

/** @throws the signal's reason when it comes first; the promise itself is not stopped by that. */
export async function until<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  if (signal.aborted) {
    // Nobody waits for it any more, so its failure is nobody's; unheard, it would end the process.
    promise.catch(() => {})
    throw signal.reason
  }
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    // A signal that outlives many waits (a server's) would otherwise collect a listener of each.
    signal.removeEventListener('abort', abort)
  }
}

/**
 * Aborts when one of the two does, for the same reason, until it is disposed of. `AbortSignal.any` keeps a trace of itself on
 * a signal that lives as long as the server (0.2 to 1 KB for each request).
 */
export function eitherOf(
  one: AbortSignal,
  other: AbortSignal | undefined,
): Disposable & { signal: AbortSignal } {
  if (other === undefined) return { signal: one, [Symbol.dispose]: () => {} }
  const either = new AbortController()
  const listeners = [one, other].map((signal) => ({ signal, heed: () => either.abort(signal.reason) }))
  for (const { signal, heed } of listeners) {
    if (signal.aborted) heed()
    signal.addEventListener('abort', heed, { once: true })
  }
  return {
    signal: either.signal,
    [Symbol.dispose]: () => {
      for (const { signal, heed } of listeners) signal.removeEventListener('abort', heed)
    },
  }
}
