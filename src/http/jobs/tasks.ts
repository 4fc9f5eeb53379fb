/**
 * Jobs as the tasks of a pipeline for videos: `POST /transcribe` (transcribe.ts) gives a task id, then there are `/status`,
 * `/download`, `/release` and `/queue`. The same jobs as `/v1/jobs`; docs/decisions/0052-one-resource-three-dialects.md.
 */
import { z } from '@hono/zod-openapi'
import { type Context, Hono } from 'hono'
import { Failure } from '../../failure.ts'
import { MARKDOWN_TYPE } from '../../formats/markdown.ts'
import type { Job } from '../../jobs/job.ts'
import type { JobCounts } from '../../jobs/job-queue.ts'
import { oneOf } from '../field-types.ts'
import { parseForm } from '../form.ts'
import type { HttpEnv, Parts } from '../parts.ts'
import { readableResult } from './async-transcribe.ts'
import { markdownOf } from './job-result.ts'
import { findOwnJob } from './own-job.ts'

const FORMATS = ['json', 'md'] as const

export const DownloadQuery = z.object({
  fmt: z.enum(FORMATS, oneOf(FORMATS)).default('json').openapi({ default: 'json' }),
})

export function taskRoutes(parts: Parts): Hono<HttpEnv> {
  const { jobs } = parts
  const release = async (c: Context<HttpEnv>, id: string) => {
    const { order } = await findOwnJob(c, parts, id)
    await jobs.desk.discard(order.id)
    return c.json({ task_id: order.id, released: true })
  }
  return (
    new Hono<HttpEnv>()
      .get('/status/:id{[^/]+}', async (c) => c.json(statusOf(await findOwnJob(c, parts, c.req.param('id')))))
      .get('/download/:id{[^/]+}', async (c) => {
        const { fmt } = parseForm(DownloadQuery, new Map(Object.entries(c.req.queries())))
        return download(c, parts, await findOwnJob(c, parts, c.req.param('id')), fmt)
      })
      // Not under GET: whatever looks at links beforehand would delete what they lead to.
      .delete('/release/:id{[^/]+}', (c) => release(c, c.req.param('id')))
      .post('/release/:id{[^/]+}', (c) => release(c, c.req.param('id')))
      .get('/queue', async (c) => c.json(queueOf(await jobs.queue.counts())))
  )
}

/** Where to look for a task that has just been handed in. */
export function taskAccepted(c: Context<HttpEnv>, { order }: Job): Response {
  c.header('location', `/status/${order.id}`)
  return c.json({ task_id: order.id }, 202)
}

/** That dialect has no word for a cancelled task: it will have no transcript, and says why. */
function statusOf({ order, state, failure }: Job) {
  const error = state === 'cancelled' ? 'The task was cancelled.' : failure?.message
  return {
    task_id: order.id,
    status: state === 'cancelled' ? ('failed' as const) : state,
    ...(error !== undefined && { error }),
  }
}

async function download(
  c: Context<HttpEnv>,
  parts: Parts,
  job: Job,
  format: (typeof FORMATS)[number],
): Promise<Response> {
  const { order } = job
  if (order.s3Path !== undefined) {
    throw new Failure(
      'result_is_elsewhere',
      `The task ${order.id} was given an s3_path: its result is not downloaded here, it is stored there.`,
    )
  }
  const result = await readableResult(job, parts)
  c.header('cache-control', 'no-store')
  if (format === 'json') return c.json(result)
  const { desk } = parts.jobs
  const made = { transcript: await desk.transcriptOf(job), afterwards: await desk.afterwardsOf(job) }
  return c.body(markdownOf(job, made), 200, { 'content-type': MARKDOWN_TYPE })
}

/** How many wait, and beside it how many there are of every kind, as long as they are kept. */
function queueOf(lanes: JobCounts) {
  const waiting = Object.values(lanes).reduce((sum, { pending }) => sum + pending, 0)
  return { waiting, lanes }
}
