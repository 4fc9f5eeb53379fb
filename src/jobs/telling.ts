/**
 * When clients are told that their jobs have ended: at once by the process in which that happens, and else by whoever looks
 * next. What is told, and how often, is decided by webhooks.ts.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { deliverDue, deliverOne, type WebhookParts } from './webhooks.ts'

export interface Telling extends AsyncDisposable {
  /** The job has ended here and now: its client need not wait until somebody looks. */
  readonly ended: (id: string) => void
}

const BETWEEN_LOOKS_MS = 15_000
/** Of jobs that ended just now. When so many receivers are slow, the rest waits for the next look. */
const MOST_AT_ONCE = 16

/** Looks at once, and again and again. What goes wrong is told to the log. */
export function startTelling(parts: WebhookParts): Telling {
  const over = new AbortController()
  const { signal } = over
  const inHand = new Map<string, Promise<void>>()
  // One job is told of by one at a time: two that read that it is due would both tell.
  const tell = (id: string): Promise<void> => {
    const telling = (inHand.get(id) ?? Promise.resolve())
      .then(() => deliverOne(parts, id, signal))
      .finally(() => {
        if (inHand.get(id) === telling) inHand.delete(id)
      })
    inHand.set(id, telling)
    return telling
  }
  const looking = lookAgainAndAgain(parts, tell, signal)
  return {
    ended: (id) => {
      if (!signal.aborted && inHand.size < MOST_AT_ONCE) void tell(id) // it does not throw
    },
    [Symbol.asyncDispose]: async () => {
      over.abort(new Error('the server ends'))
      await looking
      await Promise.all(inHand.values())
    },
  }
}

async function lookAgainAndAgain(
  parts: WebhookParts,
  tell: (id: string) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await deliverDue(parts, signal, tell).catch((error: unknown) =>
      parts.log.error('webhooks could not be looked for', { error }),
    )
    await sleep(BETWEEN_LOOKS_MS, undefined, { signal, ref: false }).catch(() => {})
  }
}
