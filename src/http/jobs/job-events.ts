/**
 * `GET /v1/jobs/{id}/events`: what happens to a job, as it happens, for a browser's EventSource and everybody else. Events have
 * names and numbers, and who lost the connection goes on after the last number that it saw.
 */
import { Hono } from 'hono'
import { Failure } from '../../failure.ts'
import { hasEnded } from '../../jobs/job.ts'
import type { JobQueue } from '../../jobs/job-queue.ts'
import { SILENCE_MS } from '../begun-answer.ts'
import { EVENT_STREAM_HEADERS, namedEventText, PING } from '../event-stream.ts'
import { hangUp } from '../hang-up.ts'
import { longAnswer } from '../long-answer.ts'
import type { HttpEnv, Parts } from '../parts.ts'
import { envelope } from '../told.ts'
import { findOwnJob } from './own-job.ts'
import { shownEvent } from './shown-job.ts'

export const LAST_EVENT_HEADER = 'last-event-id'

export function jobEventRoutes(parts: Parts): Hono<HttpEnv> {
  const { queue } = parts.jobs
  return new Hono<HttpEnv>().get('/v1/jobs/:id{[^/]+}/events', async (c) => {
    const after = numberOf(c.req.header(LAST_EVENT_HEADER))
    const job = await findOwnJob(c, parts, c.req.param('id'))
    const { id } = job.order
    // EventSource comes back for ever, unless it is told in this way that nothing will follow.
    const isOver = hasEnded(job) && !(await hasMore(queue, id, after, hangUp(c).signal))
    if (isOver) return c.body(null, 204)
    c.get('speech').isStreamed = true
    return longAnswer(c, parts, nothingHeld(), {
      headers: EVENT_STREAM_HEADERS,
      beginning: '',
      pieces: (signal) => eventTexts(queue, id, after, signal),
      filler: PING,
      beginsWithFirstPiece: true,
      beginsAfterMs: SILENCE_MS,
      farewell: (failure) => namedEventText('error', envelope(failure)),
    })
  })
}

async function* eventTexts(
  queue: JobQueue,
  id: string,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  for await (const { number, event } of queue.events(id, after, signal)) {
    yield namedEventText(event.kind, shownEvent(event), number)
  }
}

async function hasMore(queue: JobQueue, id: string, after: number, signal: AbortSignal): Promise<boolean> {
  for await (const _event of queue.events(id, after, signal)) return true
  return false
}

/** @throws Failure invalid_value */
function numberOf(header: string | undefined): number {
  if (header === undefined || header === '') return 0
  if (/^\d{1,15}$/.test(header)) return Number(header)
  throw new Failure('invalid_value', 'The header Last-Event-ID must be the id of an event, a whole number.', {
    param: 'Last-Event-ID',
  })
}

function nothingHeld(): AsyncDisposable {
  return { [Symbol.asyncDispose]: async () => {} }
}
