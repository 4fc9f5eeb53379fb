/**
 * `GET /lb-status`: who works on what comes to this address, who does not just now, and why. It tells what is known already
 * and asks no worker: whoever looks at it every second costs them nothing.
 */
import { type RouteConfig, z } from '@hono/zod-openapi'
import { Hono } from 'hono'
import type { Member } from '../fleet/seen.ts'
import { jsonContent } from './document-parts.ts'
import { modelName } from './model-names.ts'
import type { HttpEnv, Parts } from './parts.ts'

export function lbStatusRoutes(parts: Parts): Hono<HttpEnv> {
  return new Hono<HttpEnv>().get('/lb-status', async (c) => {
    c.header('cache-control', 'no-store')
    return c.json(await statusOf(parts))
  })
}

async function statusOf(parts: Parts): Promise<z.output<typeof LbStatus>> {
  const { role, queueUrl } = parts.config
  const workers = parts.workers().map(workerOf)
  const working = workers.filter(({ reason }) => reason === undefined)
  const sum = (figure: 'slots' | 'places' | 'active' | 'waiting') =>
    working.reduce((total, worker) => total + (worker[figure] ?? 0), 0)
  return {
    status: statusWord(working.length, workers.length),
    role: role === 'api' ? 'api' : 'all',
    scope: role === 'api' || queueUrl !== undefined ? 'queue' : 'server',
    totals: {
      workers: workers.length,
      working: working.length,
      taken_out: workers.length - working.length,
      slots: sum('slots'),
      places: sum('places'),
      active: sum('active'),
      waiting: sum('waiting'),
    },
    models: [...new Set(working.flatMap(({ model }) => model ?? []))],
    jobs: await jobsOf(parts),
    workers,
  }
}

function statusWord(working: number, all: number): 'healthy' | 'degraded' | 'unavailable' {
  if (working === 0) return 'unavailable'
  return working === all ? 'healthy' : 'degraded'
}

function workerOf(member: Member): z.output<typeof WorkerStatus> {
  const { id, name, facts, load, knownMs, silentMs } = member
  return {
    id,
    name,
    ...stateOf(member),
    ...(facts !== undefined && {
      model: modelName({ model: facts.modelId }),
      device: facts.device,
      device_name: facts.deviceName,
      compute_type: facts.computeType,
      slots: facts.slots,
    }),
    ...load,
    known_seconds: seconds(knownMs),
    silent_seconds: seconds(silentMs),
  }
}

/** A reason is given when nothing goes to it. */
function stateOf({ isGone, isEnding, phase, message, load, silentMs }: Member): Standing {
  if (isGone) return { state: 'gone', reason: `It has told nothing for ${Math.round(silentMs / 1000)} s.` }
  if (isEnding || phase === 'stopped') return { state: 'draining', reason: DRAINING }
  if (phase === 'ready') return { state: isFull(load) ? 'busy' : 'ready' }
  const reason = message ?? `Its engine is in the phase ${phase}.`
  return { state: phase === 'loading' ? 'loading' : 'unhealthy', reason }
}

const DRAINING = 'It has been told to stop: it begins nothing more.'

function isFull(load: Member['load']): boolean {
  return load !== undefined && load.active + load.waiting >= load.places
}

/** A queue that does not answer must not hide the workers. */
async function jobsOf({ jobs, isQueueReachable, log }: Parts): Promise<z.output<typeof JobsStatus>> {
  if (isQueueReachable?.() === false) return { reachable: false }
  try {
    const { interactive, batch } = await jobs.queue.counts()
    return {
      reachable: true,
      pending: interactive.pending + batch.pending,
      processing: interactive.processing + batch.processing,
    }
  } catch (error) {
    log.warn('the jobs could not be counted', { error })
    return { reachable: false }
  }
}

const seconds = (ms: number) => Math.round(ms / 100) / 10

const Count = z.int().min(0)
const Seconds = z.number().min(0)
const STATES = ['ready', 'busy', 'loading', 'unhealthy', 'draining', 'gone'] as const

interface Standing {
  readonly state: (typeof STATES)[number]
  readonly reason?: string
}

const WorkerStatus = z.strictObject({
  id: z.string().openapi({ description: 'Of the process: a worker that is started again has another' }),
  name: z.string().openapi({ description: 'Its WORKER_ID, or the name of its machine', example: 'gpu-1' }),
  state: z.enum(STATES).openapi({
    description:
      '`ready` and `busy` (all its places are taken) work; `loading`, `unhealthy` (its engine crashed too often), `draining` (told to stop) and `gone` (silent for too long) are taken out',
  }),
  reason: z.string().optional().openapi({ description: 'Why it is taken out. Left out when it is not' }),
  model: z.string().optional(),
  device: z.string().optional().openapi({ example: 'cuda' }),
  device_name: z.string().optional(),
  compute_type: z.string().optional(),
  slots: Count.optional().openapi({ description: 'How many windows it decodes side by side' }),
  places: Count.optional().openapi({ description: 'How many recordings it works on at once' }),
  active: Count.optional().openapi({ description: 'Recordings in its engine, as it told last' }),
  waiting: Count.optional().openapi({ description: 'Recordings that wait for its engine, as it told last' }),
  known_seconds: Seconds.openapi({ description: 'How long the server that answers has known of it' }),
  silent_seconds: Seconds.openapi({ description: 'How long ago it told something new' }),
})

const JobsStatus = z.strictObject({
  reachable: z.boolean(),
  pending: Count.optional(),
  processing: Count.optional(),
})

export const LbStatus = z
  .strictObject({
    status: z.enum(['healthy', 'degraded', 'unavailable']).openapi({
      description: 'All work; some do; nobody does. It is a 200 all the same: `/readyz` is for balancers',
    }),
    role: z.enum(['all', 'api']).openapi({ description: 'Of the server that answers' }),
    scope: z.enum(['server', 'queue']).openapi({
      description:
        '`queue`: all are listed that share a queue and its store of recordings. `server`: this server lists itself alone',
    }),
    totals: z
      .strictObject({
        workers: Count,
        working: Count,
        taken_out: Count,
        slots: Count,
        places: Count,
        active: Count,
        waiting: Count,
      })
      .openapi({ description: 'The last four of those that work' }),
    models: z.array(z.string()).openapi({
      description: 'Of those that work. More than one is a mistake, but in the middle of an upgrade',
    }),
    jobs: JobsStatus.openapi({
      description: 'In the queue, those of synchronous requests to an api included',
    }),
    workers: z.array(WorkerStatus),
  })
  .openapi('LbStatus')

export const LB_STATUS_PATHS: readonly RouteConfig[] = [
  {
    method: 'get',
    path: '/lb-status',
    summary: 'Who works on what comes to this address, and who does not just now',
    description: 'Where keys are asked for, one with the scope `metrics`: the answer names machines.',
    tags: ['Server'],
    responses: { 200: { description: 'All that are known', content: jsonContent(LbStatus) } },
  },
]
