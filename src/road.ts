/** Which road the role of a server leads to, and whether others are told of its engine. */
import { randomUUID } from 'node:crypto'
import type { Config } from './config.ts'
import { openDistantRoad } from './distant-road.ts'
import type { JobRoom } from './job-room.ts'
import { tellOfWorker, watchWorkers } from './workers-seen.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { openOwnRoad, type Road } from './own-road.ts'

interface RoadParts {
  readonly log: Log
  readonly metrics: Metrics
  readonly spoolDir: string
  readonly room: Pick<JobRoom, 'blobs' | 'jobs' | 'isQueueReachable'>
}

/** @throws Error for the operator */
export async function openRoad(config: Config, { room, ...parts }: RoadParts): Promise<Road> {
  const { blobs, jobs, isQueueReachable } = room
  const { log } = parts
  if (config.role === 'api') {
    const workers = watchWorkers({ blobs, log, nowMs: () => performance.now() })
    return openDistantRoad(config, { queue: jobs.queue, blobs, workers, isQueueReachable })
  }
  const road = await openOwnRoad(config, parts)
  const isShared = config.role === 'worker' || config.queueUrl !== undefined
  if (!isShared) return road
  const telling = tellOfWorker({ blobs, id: randomUUID(), state: road.engineState, log })
  return {
    ...road,
    [Symbol.asyncDispose]: async () => {
      await telling[Symbol.asyncDispose]()
      await road[Symbol.asyncDispose]()
    },
  }
}
