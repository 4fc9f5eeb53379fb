/** Waits for a promise, but not longer than a signal allows. This file imports nothing. */

/** @throws the signal's reason when it comes first; the promise itself is not stopped by that. */
export async function until<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted()
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
