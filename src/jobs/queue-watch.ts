/** Whether the queue answers, known before anybody asks: probes wait for nothing. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../log.ts'
import type { JobQueue } from './job-queue.ts'

export interface QueueWatch extends AsyncDisposable {
  isReachable(): boolean
}

interface WatchParts {
  readonly queue: Pick<JobQueue, 'isReachable'>
  readonly log: Log
  /** Until the next look; a timer when absent. @throws when the signal aborts */
  readonly pause?: (signal: AbortSignal) => Promise<void>
}

const LOOK_EVERY_MS = 2_000
/** A store that is busy for a moment is no reason to send everybody away. */
const MISSES = 2

/** Of a queue that has just been opened, and so has answered. */
export function watchQueue({ queue, log, pause = pauseBetweenLooks }: WatchParts): QueueWatch {
  const over = new AbortController()
  const { signal } = over
  let misses = 0
  const watching = (async () => {
    while (!signal.aborted) {
      const before = misses
      misses = (await queue.isReachable()) ? 0 : misses + 1
      if (misses === MISSES) log.error('the queue of jobs does not answer: not ready until it does')
      if (before >= MISSES && misses === 0) log.info('the queue of jobs answers again')
      await pause(signal).catch(() => {})
    }
  })()
  return {
    isReachable: () => misses < MISSES,
    [Symbol.asyncDispose]: async () => {
      over.abort()
      await watching
    },
  }
}

async function pauseBetweenLooks(signal: AbortSignal): Promise<void> {
  await sleep(LOOK_EVERY_MS, undefined, { signal, ref: false })
}
