/** `GET /v1/jobs/{id}/result`: a completed job's transcript in any format, whatever was asked for when it was handed in. */
import { z } from '@hono/zod-openapi'
import { Hono } from 'hono'
import type { Afterwards } from '../../afterwards/afterwards.ts'
import { MARKDOWN_TYPE, markdown } from '../../formats/markdown.ts'
import { RESPONSE_FORMATS, type Rendered, render } from '../../formats/render.ts'
import type { Job } from '../../jobs/job.ts'
import type { Transcript } from '../../transcript.ts'
import { oneOf } from '../field-types.ts'
import { parseForm } from '../form.ts'
import type { HttpEnv, Parts } from '../parts.ts'
import { failureOf, findOwnJob, requireEnded } from './own-job.ts'

const FORMATS = [...RESPONSE_FORMATS, 'md'] as const

export const ResultQuery = z.object({
  format: z.enum(FORMATS, oneOf(FORMATS)).optional().openapi({
    description: "`md` is Markdown. Absent: the order's `response_format`.",
  }),
})

export function jobResultRoutes(parts: Parts): Hono<HttpEnv> {
  return new Hono<HttpEnv>().get('/v1/jobs/:id{[^/]+}/result', async (c) => {
    const { format } = parseForm(ResultQuery, new Map(Object.entries(c.req.queries())))
    const job = await findOwnJob(c, parts, c.req.param('id'))
    const transcript = await resultOf(parts, job)
    const afterwards = await parts.jobs.desk.afterwardsOf(job)
    const made = { transcript, afterwards }
    const { body, contentType } = renderedAs(format ?? job.order.format, job, made)
    return c.body(body, 200, { 'content-type': contentType, 'cache-control': 'no-store' })
  })
}

/** @throws Failure when there is none: not yet, not ever, or because it failed, and then it is that failure. */
export async function resultOf({ jobs }: Parts, job: Job): Promise<Transcript> {
  requireEnded(job)
  const failure = failureOf(job)
  if (failure) throw failure
  return jobs.desk.transcriptOf(job)
}

interface Made {
  readonly transcript: Transcript
  readonly afterwards: Afterwards | undefined
}

function renderedAs(format: (typeof FORMATS)[number], job: Job, made: Made): Rendered {
  if (format === 'md') return { body: markdownOf(job, made), contentType: MARKDOWN_TYPE }
  return render(made.transcript, format, { ...job.order.rendering, afterwards: made.afterwards })
}

export function markdownOf({ order, endedAtMs }: Job, { transcript, afterwards }: Made): string {
  return markdown(transcript, {
    title: order.fileName ?? `Job ${order.id}`,
    afterwards,
    ...(endedAtMs !== undefined && { endedAt: new Date(endedAtMs) }),
  })
}
