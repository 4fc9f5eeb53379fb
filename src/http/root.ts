/** `GET /` says what this is; `GET /health` says whether it works, for people, containers and load balancers. */
import type { RouteConfig } from '@hono/zod-openapi'
import { Hono } from 'hono'
import packageJson from '../../package.json' with { type: 'json' }
import { jsonContent } from './document-parts.ts'
import { modelName } from './model-names.ts'
import type { HttpEnv, Parts } from './parts.ts'
import { Health, Root } from './response-schemas.ts'

/** `endpoints`: `POST /transcribe` → what it does. */
export function rootRoutes(parts: Parts, endpoints: Readonly<Record<string, string>>): Hono<HttpEnv> {
  const { name, description, version } = packageJson
  const model = modelName(parts.config)
  return new Hono<HttpEnv>()
    .get('/', (c) => c.json({ service: name, description, version, model, endpoints }))
    .get('/health', (c) => {
      const engine = engineHealth(parts)
      const { workerId } = parts.config
      const named = workerId === undefined ? {} : { worker_id: workerId }
      const health = { ...engine, ...named, model_name: model, queue: queueHealth(parts) }
      return c.json(health, engine.model_loaded ? 200 : 503)
    })
}

function queueHealth({ queueState }: Parts) {
  const { active, waiting, waitSeconds } = queueState()
  return {
    active,
    waiting,
    ...(waitSeconds !== undefined && { wait_seconds: Math.round(waitSeconds * 10) / 10 }),
  }
}

/** What is not known yet is left out, not guessed. */
function engineHealth({ engineState }: Parts) {
  const state = engineState()
  switch (state.phase) {
    case 'ready': {
      const { device, deviceName, computeType, slots, reasons } = state.facts
      return {
        status: 'healthy',
        model_loaded: true,
        device,
        device_name: deviceName,
        compute_type: computeType,
        slots,
        reasons,
      }
    }
    case 'loading': {
      const fraction = state.fraction === null ? {} : { fraction: state.fraction }
      return { status: 'loading', model_loaded: false, message: state.message, ...fraction }
    }
    case 'elsewhere':
      return { status: 'waiting', model_loaded: false, message: state.message }
    case 'resting':
    case 'failed':
      return { status: 'unhealthy', model_loaded: false, message: state.message }
    case 'stopped':
      return { status: 'unhealthy', model_loaded: false, message: 'The server is shutting down.' }
    default:
      return state satisfies never
  }
}

export const ROOT_PATHS: readonly RouteConfig[] = [
  {
    method: 'get',
    path: '/',
    summary: 'What this is, and its endpoints',
    tags: ['Server'],
    responses: { 200: { description: 'Name, version and endpoints', content: jsonContent(Root) } },
  },
  {
    method: 'get',
    path: '/health',
    summary: 'Whether the engine is ready',
    tags: ['Server'],
    responses: {
      200: { description: 'Ready', content: jsonContent(Health) },
      503: {
        description: 'Loading, resting after crashes, failed, without a worker, or shutting down',
        content: jsonContent(Health),
      },
    },
  },
]
