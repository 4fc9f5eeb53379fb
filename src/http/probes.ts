/**
 * `GET /livez`, `/readyz` and `/startupz`, for whoever starts, stops and feeds this server. They look at what is known
 * already: no probe asks the engine anything, so none waits for it.
 */
import type { RouteConfig } from '@hono/zod-openapi'
import { Hono } from 'hono'
import { Failure } from '../failure.ts'
import { jsonContent } from './document-parts.ts'
import type { HttpEnv, Parts } from './parts.ts'
import { Liveness, Readiness, Startup } from './response-schemas.ts'

export function probeRoutes(parts: Parts): Hono<HttpEnv> {
  return new Hono<HttpEnv>()
    .get('/livez', (c) => c.json({ status: 'alive' }))
    .get('/readyz', (c) => {
      const reason = whyNotReady(parts)
      return reason === undefined
        ? c.json({ status: 'ready' })
        : c.json({ status: 'not_ready', message: reason }, 503)
    })
    .get('/startupz', (c) => {
      const startup = startupOf(parts)
      return c.json(startup, startup.status === 'started' ? 200 : 503)
    })
}

/**
 * A full queue is no reason: every server is full at the same time, and a balancer that takes all of them out turns
 * "come back in 5 seconds" into "there is nobody".
 */
function whyNotReady({ engineState, requireRoom, isQueueReachable }: Parts): string | undefined {
  const state = engineState()
  if (state.phase === 'stopped') return 'The server is shutting down.'
  // Recordings that come while no worker is there are jobs that wait for one.
  if (state.phase !== 'ready' && state.phase !== 'elsewhere') return state.message
  if (isQueueReachable?.() === false) return 'The queue of jobs does not answer.'
  try {
    requireRoom(undefined, undefined)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    if (error.code === 'shutting_down') return error.message
  }
  return undefined
}

function startupOf({ engineState }: Parts) {
  const state = engineState()
  switch (state.phase) {
    case 'ready':
    case 'elsewhere':
      return { status: 'started' }
    case 'loading': {
      const { message, fraction, readyInSeconds } = state
      return {
        status: 'loading',
        message,
        ...(fraction !== null && { fraction }),
        ...(readyInSeconds !== undefined && { ready_in_seconds: Math.ceil(readyInSeconds) }),
      }
    }
    case 'resting':
    case 'failed':
      return { status: 'failed', message: state.message }
    case 'stopped':
      return { status: 'failed', message: 'The server is shutting down.' }
    default:
      return state satisfies never
  }
}

export const PROBE_PATHS: readonly RouteConfig[] = [
  {
    method: 'get',
    path: '/livez',
    summary: 'Whether the process answers',
    tags: ['Server'],
    responses: { 200: { description: 'It does', content: jsonContent(Liveness) } },
  },
  {
    method: 'get',
    path: '/readyz',
    summary: 'Whether a recording would be taken now',
    description: 'A full queue does not make it unready: whoever comes then is told when to come back.',
    tags: ['Server'],
    responses: {
      200: { description: 'Ready', content: jsonContent(Readiness) },
      503: {
        description: 'The model is not loaded, or the server shuts down',
        content: jsonContent(Readiness),
      },
    },
  },
  {
    method: 'get',
    path: '/startupz',
    summary: 'How far the model has been downloaded and loaded',
    tags: ['Server'],
    responses: {
      200: { description: 'The model is loaded', content: jsonContent(Startup) },
      503: { description: 'Not yet, or not any more', content: jsonContent(Startup) },
    },
  },
]
