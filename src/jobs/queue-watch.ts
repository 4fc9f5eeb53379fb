/** Whether the queue answers, known before anybody asks: probes wait for nothing. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../log.ts'
import type { JobQueue } from './job-queue.ts'

export interface QueueWatch extends AsyncDisposable {
  isReachable(): boolean
}

const LOOK_EVERY_MS = 2_000

/** Of a queue that has just been opened, and so has answered. */
export function watchQueue(queue: Pick<JobQueue, 'isReachable'>, log: Log): QueueWatch {
  const over = new AbortController()
  const { signal } = over
  let isReachable = true
  const watching = (async () => {
    while (!signal.aborted) {
      const before = isReachable
      isReachable = await queue.isReachable()
      if (before && !isReachable) log.error('the queue of jobs does not answer: not ready until it does')
      if (!before && isReachable) log.info('the queue of jobs answers again')
      await sleep(LOOK_EVERY_MS, undefined, { signal, ref: false }).catch(() => {})
    }
  })()
  return {
    isReachable: () => isReachable,
    [Symbol.asyncDispose]: async () => {
      over.abort()
      await watching
    },
  }
}
