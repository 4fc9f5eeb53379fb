/**
 * The road of a server without an engine (`ROLE=api`): recordings become jobs, and workers do them. It counts who is on
 * its way from here, and tells of the engines what the workers have told of them.
 */
import type { Config } from './config.ts'
import { Failure } from './failure.ts'
import type { Blobs } from './jobs/blobs.ts'
import type { JobQueue } from './jobs/job-queue.ts'
import { createJobTranscriber } from './jobs/job-transcriber.ts'
import type { WatchedWorkers } from './fleet/seen.ts'
import type { Road } from './own-road.ts'
import { type Work, Workload } from './queue/workload.ts'
import type { Transcriber } from './transcriber.ts'

interface DistantRoadParts {
  readonly queue: JobQueue
  readonly blobs: Blobs
  /** Disposed of with the road. */
  readonly workers: Pick<WatchedWorkers, 'state' | typeof Symbol.asyncDispose>
  readonly isQueueReachable: () => boolean
}

export function openDistantRoad(
  config: Config,
  { queue, blobs, workers, isQueueReachable }: DistantRoadParts,
): Road {
  const workload = new Workload({
    places: config.maxConcurrentTranscriptions,
    maxWaiting: config.failsFastWhenBusy ? 0 : config.maxQueueSize,
    reservedForRealtime: config.realtimeReservedSlots,
    busyRetryAfterSeconds: config.busyRetryAfterSeconds,
    // How fast the workers are together, nobody here measures: no wait is foretold.
    isWorking: () => false,
    nowMs: () => performance.now(),
  })
  const begun = new Set<Work>()
  const transcriber = createJobTranscriber({ queue, blobs, nowMs: Date.now })
  return {
    transcriber: counted(transcriber, workload, begun),
    engineState: () => workers.state(),
    queueState: () => ({ active: begun.size, waiting: workload.size - begun.size }),
    requireRoom: (tier) => {
      if (!isQueueReachable()) throw queueUnreachable()
      workload.requireRoom(tier)
    },
    start: () => Promise.resolve(),
    lost: new Promise(() => {}),
    [Symbol.asyncDispose]: () => workers[Symbol.asyncDispose](),
  }
}

/** Of those that are worked on somewhere, the first window has been told. */
function counted(transcriber: Transcriber, workload: Workload, begun: Set<Work>): Transcriber {
  return {
    async *transcribe(source, options, signal) {
      using work = workload.enter(source.tier)
      try {
        for await (const event of transcriber.transcribe(source, options, signal)) {
          begun.add(work)
          yield event
        }
      } finally {
        begun.delete(work)
      }
    },
    async detectLanguage(source, signal) {
      using _work = workload.enter(source.tier)
      return await transcriber.detectLanguage(source, signal)
    },
  }
}

function queueUnreachable(): Failure {
  return new Failure('queue_unreachable', 'The queue of jobs does not answer. Please try again later.')
}
