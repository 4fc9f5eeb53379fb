/** Which road the role of a server leads to, and who is told of its engine and sees those of others. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Config } from './config.ts'
import { openDistantRoad } from './distant-road.ts'
import { type Member, ownMember, type WatchedWorkers, watchWorkers } from './fleet/seen.ts'
import { type Self, TELL_EVERY_MS, tellOfWorker } from './fleet/word.ts'
import type { JobRoom } from './job-room.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { openOwnRoad, type Road } from './own-road.ts'

interface RoadParts {
  readonly log: Log
  readonly metrics: Metrics
  readonly spoolDir: string
  readonly room: Pick<JobRoom, 'blobs' | 'jobs' | 'isQueueReachable'>
  /** `begun` aborts when this server has been told to stop. */
  readonly ending: { readonly begun: AbortSignal }
}

/** A road, and all who work for those who share its queue, as far as they are known here. */
export interface RoadAmongOthers extends Road {
  readonly workers: () => readonly Member[]
}

/** @throws Error for the operator */
export async function openRoad(
  config: Config,
  { room, ending, ...parts }: RoadParts,
): Promise<RoadAmongOthers> {
  const { blobs, jobs, isQueueReachable } = room
  const { log } = parts
  const tellEveryMs = Math.min(TELL_EVERY_MS, (config.jobLeaseSeconds * 1000) / 3)
  const watch = () => watchWorkers({ blobs, log, nowMs: () => performance.now(), everyMs: tellEveryMs / 2 })
  if (config.role === 'api') {
    const workers = watch()
    const road = openDistantRoad(config, { queue: jobs.queue, blobs, workers, isQueueReachable })
    return { ...road, workers: () => workers.members() }
  }
  const road = await openOwnRoad(config, parts)
  const self = selfOf(config, road, ending.begun)
  if (config.role === 'all' && config.queueUrl === undefined) return alone(road, self)
  const telling = tellOfWorker({ blobs, self, everyMs: tellEveryMs, log })
  // A worker is asked by nobody who else works.
  return amongOthers(road, self, telling, config.role === 'all' ? watch() : undefined)
}

function selfOf(config: Config, { engineState, queueState }: Road, stopping: AbortSignal): Self {
  const { maxConcurrentTranscriptions: most, jobsAtOnce, role } = config
  // A worker has nothing but jobs, so many of each of the two lanes.
  const places = role === 'worker' ? Math.min(most, 2 * jobsAtOnce) : most
  return {
    id: randomUUID(),
    name: config.workerId ?? hostname(),
    state: engineState,
    load: () => {
      const { active, waiting } = queueState()
      return { active, waiting, places }
    },
    isEnding: () => stopping.aborted,
  }
}

function alone(road: Road, self: Self): RoadAmongOthers {
  return { ...road, workers: () => [ownMember(self, millisecondsUp())] }
}

function amongOthers(
  road: Road,
  self: Self,
  telling: AsyncDisposable,
  watching: WatchedWorkers | undefined,
): RoadAmongOthers {
  const others = () => (watching?.members() ?? []).filter(({ id }) => id !== self.id)
  return {
    ...road,
    workers: () => [ownMember(self, millisecondsUp()), ...others()],
    [Symbol.asyncDispose]: async () => {
      await watching?.[Symbol.asyncDispose]()
      await telling[Symbol.asyncDispose]()
      await road[Symbol.asyncDispose]()
    },
  }
}

const millisecondsUp = () => process.uptime() * 1000
