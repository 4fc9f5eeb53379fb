/** `GET /metrics`, for Prometheus. What is not counted as it happens is looked up here, when somebody asks. */
import type { RouteConfig } from '@hono/zod-openapi'
import { Hono } from 'hono'
import packageJson from '../../package.json' with { type: 'json' }
import type { EngineState } from '../engine/state.ts'
import { JOB_STATES, LANES } from '../jobs/job.ts'
import { EXPOSITION_TYPE } from '../instruments.ts'
import { exposition } from '../metrics.ts'
import { diskBytes, engineResidentBytes, openDescriptors, ownFigures } from '../process-figures.ts'
import { modelName } from './model-names.ts'
import type { HttpEnv, Parts } from './parts.ts'

export function metricsRoutes(parts: Parts): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>()
  if (parts.config.metrics === 'off') return routes
  return routes.get('/metrics', async (c) => {
    lookAtEngine(parts)
    lookAtQueue(parts)
    await Promise.all([lookAtMachine(parts), lookAtJobs(parts)])
    const headers = { 'content-type': EXPOSITION_TYPE, 'cache-control': 'no-store' }
    return c.body(exposition(parts.metrics), 200, headers)
  })
}

/** A record, so that a phase that somebody adds does not compile until it is here. */
const PHASES = {
  loading: true,
  ready: true,
  resting: true,
  failed: true,
  elsewhere: true,
  stopped: true,
} satisfies Record<EngineState['phase'], true>

function lookAtEngine({ metrics, engineState, config }: Parts): void {
  const state = engineState()
  metrics.engineState.become(
    ...Object.keys(PHASES).map((phase) => [phase === state.phase ? 1 : 0, { state: phase }] as const),
  )
  const fraction = state.phase === 'loading' ? (state.fraction ?? undefined) : undefined
  metrics.loadingFraction.become([fraction, {}])
  if (state.phase !== 'ready') {
    metrics.model.become()
    metrics.slots.become()
    // What the last child told is not true any more.
    metrics.windowsWaiting.become()
    metrics.gpuMemory.become()
    return
  }
  const { revision, device, deviceName, computeType, vad, slots } = state.facts
  const model = { model: modelName(config), revision: revision ?? '', version: packageJson.version }
  const runs = { device, device_name: deviceName, compute_type: computeType, vad }
  metrics.model.become([1, { ...model, ...runs }])
  metrics.slots.become([slots, {}])
}

function lookAtQueue({ metrics, queueState, config }: Parts): void {
  const { active, waiting, waitSeconds } = queueState()
  metrics.queueLength.become([active, { state: 'active' }], [waiting, { state: 'waiting' }])
  metrics.queueLimit.become(
    [config.maxConcurrentTranscriptions, { state: 'active' }],
    [config.failsFastWhenBusy ? 0 : config.maxQueueSize, { state: 'waiting' }],
  )
  metrics.expectedWaitSeconds.become([waitSeconds, {}])
}

/** Of more than so many pending jobs nobody reads, with every scrape, which is the oldest. */
const MOST_PENDING = 1000

/** A queue that does not answer must not hide the other figures: then those of jobs are left out. */
async function lookAtJobs({ metrics, jobs, log }: Parts): Promise<void> {
  try {
    const counts = await jobs.queue.counts()
    const pending = counts.interactive.pending + counts.batch.pending
    const isReadable = pending > 0 && pending <= MOST_PENDING
    const waiting = isReadable ? await jobs.queue.list({ states: ['pending'], limit: MOST_PENDING }) : []
    const oldest = waiting.at(-1)
    metrics.jobs.become(
      ...LANES.flatMap((lane) => JOB_STATES.map((state) => [counts[lane][state], { lane, state }] as const)),
    )
    metrics.storedJobBytes.become([jobs.storedBytes?.(), {}])
    metrics.oldestPendingJob.become([
      oldest && Math.max(0, (jobs.nowMs() - oldest.order.createdAtMs) / 1000),
      {},
    ])
  } catch (error) {
    metrics.jobs.become()
    metrics.oldestPendingJob.become()
    metrics.storedJobBytes.become()
    log.warn('the jobs could not be counted', { error })
  }
}

async function lookAtMachine({ metrics, spoolDir }: Parts): Promise<void> {
  const [descriptors, engineBytes, disk] = await Promise.all([
    openDescriptors(),
    engineResidentBytes(),
    diskBytes(spoolDir),
  ])
  const own = ownFigures()
  metrics.residentMemory.become([own.residentBytes, {}])
  metrics.heapUsed.become([own.heapUsedBytes, {}])
  metrics.startTime.become([own.startedAtSeconds, {}])
  metrics.cpuSeconds.set(own.cpuSeconds, {})
  metrics.eventLoopBusy.set(own.eventLoopSeconds, {})
  metrics.openDescriptors.become([descriptors, {}])
  metrics.engineMemory.become([engineBytes, {}])
  metrics.spoolBytes.become([disk?.size, { state: 'size' }], [disk?.free, { state: 'free' }])
}

export const METRICS_PATHS: readonly RouteConfig[] = [
  {
    method: 'get',
    path: '/metrics',
    summary: 'What is counted and measured, for Prometheus',
    tags: ['Server'],
    responses: {
      200: {
        description: "Prometheus' text format, version 0.0.4",
        content: { [EXPOSITION_TYPE]: { schema: { type: 'string' } } },
      },
    },
  },
]
