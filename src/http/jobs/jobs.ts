/** `/v1/jobs`: jobs are handed in, looked at, cancelled, tried again and deleted. Their results and events have files of their own. */
import { z } from '@hono/zod-openapi'
import { type Context, Hono } from 'hono'
import { Failure } from '../../failure.ts'
import { JOB_STATES, type Job, type JobState } from '../../jobs/job.ts'
import type { LooseUpload } from '../../upload/receive.ts'
import { requireScope } from '../auth.ts'
import { oneOf, wholeNumberFrom } from '../field-types.ts'
import { parseForm } from '../form.ts'
import type { HttpEnv, Parts } from '../parts.ts'
import { receiveOrder } from '../upload-route.ts'
import { isVexaShaped } from '../vexa.ts'
import { wishOf } from '../wish.ts'
import { handIn, type KeptWish, withWords } from './hand-in.ts'
import { JobFields, metadataOf } from './job-fields.ts'
import { cancelJob, findOwnJob, isOperator } from './own-job.ts'
import { briefJob, wholeJob } from './shown-job.ts'

const PATH = '/v1/jobs/:id{[^/]+}'

export function jobRoutes(parts: Parts): Hono<HttpEnv> {
  const { jobs } = parts
  return new Hono<HttpEnv>()
    .post('/v1/jobs', async (c) => {
      await using upload = await receiveOrder(c, parts)
      const { job, isNew } = await handIn(c, parts, upload, orderIn(c, parts, upload))
      return await accepted(c, parts, job, isNew ? 202 : 200)
    })
    .get('/v1/jobs', async (c) => c.json(await listed(c, parts)))
    .get(PATH, async (c) => c.json(await told(c, parts, await findOwnJob(c, parts, c.req.param('id')))))
    .post(`${PATH}/cancel`, async (c) =>
      c.json(await told(c, parts, await cancelJob(c, parts, c.req.param('id')))),
    )
    .post(`${PATH}/retry`, async (c) =>
      c.json(await told(c, parts, await retryJob(c, parts, c.req.param('id')))),
    )
    .delete(PATH, async (c) => {
      const { order } = await findOwnJob(c, parts, c.req.param('id'))
      await jobs.desk.discard(order.id)
      return c.json({ id: order.id, object: 'job', deleted: true })
    })
}

/** What there is of the job now, and where there will be more. */
export async function accepted(
  c: Context<HttpEnv>,
  parts: Parts,
  job: Job,
  status: 200 | 202,
): Promise<Response> {
  c.header('location', `/v1/jobs/${job.order.id}`)
  return c.json(await told(c, parts, job), status)
}

/** Where a job's end is told may be a secret address: an operator sees that, not where. */
function told(c: Context<HttpEnv>, { jobs }: Parts, job: Job) {
  return wholeJob(job, jobs, { isOwner: job.order.owner === c.get('clientId') })
}

function orderIn(c: Context<HttpEnv>, parts: Parts, { fields }: LooseUpload) {
  const form = parseForm(JobFields, fields)
  const wish = wishOf({ ...form, stream: false }, parts, {
    task: form.task,
    hasWords: form.timestamp_granularities.includes('word'),
    isForVexa: isVexaShaped(fields, c.req.header('x-transcription-tier')),
  })
  const rendering = { ...wish.rendering, hasLogprobs: form.include.includes('logprobs') }
  const kept: KeptWish = { options: wish.options, format: wish.format, rendering }
  return { wish: withWords(kept), handling: { ...form, metadata: metadataOf(fields) } }
}

async function retryJob(c: Context<HttpEnv>, parts: Parts, id: string): Promise<Job> {
  const found = await findOwnJob(c, parts, id)
  const { order } = found
  const job = await parts.jobs.desk.retry(found)
  if (job !== undefined) return job
  const { state } = await findOwnJob(c, parts, id)
  throw new Failure(
    'job_not_retryable',
    `The job ${order.id} is ${state}; only a job that failed or was cancelled can be tried again.`,
  )
}

const LONGEST_PAGE = 100
const USUAL_PAGE = '20'

/** What a list may be asked; also how the document shows it. */
export const ListQuery = z.object({
  limit: wholeNumberFrom(1, LONGEST_PAGE)
    .optional()
    .openapi({ description: `How many at most; ${USUAL_PAGE} when it is not said.` }),
  after: z.string().optional().openapi({ description: 'The id of the last job of the page before.' }),
  status: z
    .array(z.enum(JOB_STATES, oneOf(JOB_STATES)))
    .optional()
    .openapi({ description: 'Only jobs in one of these states.' }),
  all: z
    .enum(['true', 'false'], oneOf(['true', 'false']))
    .optional()
    .openapi({
      description: "Everybody's jobs, for a key with the scope `admin`.",
    }),
})

async function listed(c: Context<HttpEnv>, parts: Parts) {
  const asked = new Map(Object.entries(c.req.queries()))
  const { limit = Number(USUAL_PAGE), after, status, all } = parseForm(ListQuery, asked)
  const isForAll = all === 'true'
  if (isForAll && !isOperator(c)) requireScope({ scopes: c.get('scopes') ?? [] }, 'admin')
  const owner = isForAll ? undefined : c.get('clientId')
  const found = await parts.jobs.queue.list({
    limit: limit + 1,
    ...(owner !== undefined && { owner }),
    ...(status !== undefined && { states: status satisfies readonly JobState[] }),
    ...(after !== undefined && { before: await requireSeen(c, parts, after) }),
  })
  const data = found.slice(0, limit).map((job) => briefJob(job, parts.jobs))
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: found.length > limit,
  }
}

/** @throws Failure invalid_value: after a job that is not there, nobody knows what comes. */
async function requireSeen(c: Context<HttpEnv>, parts: Parts, id: string): Promise<string> {
  try {
    const { order } = await findOwnJob(c, parts, id)
    c.header('x-job-id', undefined) // the list is not this job's answer
    return order.id
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'job_not_found') throw error
    throw new Failure('invalid_value', 'The field "after" must be the id of a job that is there.', {
      param: 'after',
      cause: error,
    })
  }
}
