/** What the answers about jobs look like: the document shows these, and the tests hold the answers against them. */
import { type RouteConfig, z } from '@hono/zod-openapi'
import { RESPONSE_FORMATS } from '../../formats/render.ts'
import { JOB_STATES, LANES } from '../../jobs/job.ts'
import { failures, jsonContent } from '../document-parts.ts'
import { TranscribeResponse, TranscriptionJson, TranscriptionVerboseJson } from '../response-schemas.ts'
import { JOB_ID_HEADER, REPLAYED_HEADER } from './hand-in.ts'

const UnixSeconds = z.int().openapi({ description: 'Seconds since 1970' })
const Seconds = z.number().min(0)

const JobError = z.strictObject({ code: z.string(), message: z.string(), param: z.string().nullable() })

const lengthShape = {
  processed_seconds: Seconds.optional().openapi({ description: 'How much has been heard' }),
  duration_seconds: Seconds.optional().openapi({ description: 'How much there is, as far as is known' }),
  percent: z.number().min(0).max(100).optional().openapi({ description: 'Of the audio' }),
}

const stepShape = {
  step: z.string(),
  message: z.string().optional().openapi({ description: 'Why it failed' }),
  pieces: z.int().min(0).optional().openapi({ description: 'In how many pieces the text was asked about' }),
  refused_pieces: z.int().min(0).optional().openapi({
    description: 'Pieces whose answer said something else: there the text stayed as it was',
  }),
}
const AfterwardsSchema = z
  .strictObject({
    text: z.string().openapi({ description: 'The text as the steps have left it' }),
    title: z.string().optional(),
    summary: z.string().optional().openapi({ description: 'Markdown' }),
    model: z.string().optional().openapi({ description: 'The language model that was asked' }),
    steps: z.array(z.strictObject({ ...stepShape, status: z.enum(['done', 'failed']) })),
  })
  .openapi('Afterwards')
const besides = {
  afterwards: AfterwardsSchema.optional().openapi({
    description:
      'What the steps have made that the order asked for; all else is the transcript as it was heard',
  }),
}

export const JobJson = TranscriptionJson.extend(besides).openapi('JobJson')
export const JobVerboseJson = TranscriptionVerboseJson.extend(besides).openapi('JobVerboseJson')
export const TaskTranscript = TranscribeResponse.extend(besides).openapi('TaskTranscript')

const WebhookSchema = z.strictObject({
  url: z.string().optional().openapi({ description: "The order's `callback_url`; for its owner alone" }),
  status: z.enum(['pending', 'delivered', 'given_up']),
  attempts: z.array(
    z.strictObject({
      at: UnixSeconds,
      status: z.int().optional().openapi({ description: 'What the receiver answered' }),
      error: z.string().optional().openapi({ description: 'Why there was no answer' }),
    }),
  ),
  next_attempt_at: UnixSeconds.optional(),
})

export const JobSchema = z
  .strictObject({
    id: z.uuid(),
    object: z.literal('job'),
    status: z.enum(JOB_STATES),
    lane: z.enum(LANES),
    owner: z.string().optional().openapi({ description: "The id of its client's key; absent without keys" }),
    source: z.enum(['file', 'url', 's3']),
    file_name: z.string().optional(),
    task: z.enum(['transcribe', 'translate']),
    language: z.string().optional(),
    response_format: z.enum(RESPONSE_FORMATS),
    created_at: UnixSeconds,
    started_at: UnixSeconds.nullable(),
    ended_at: UnixSeconds.nullable(),
    expires_at: UnixSeconds.nullable().openapi({
      description: 'When it will be forgotten, once it has ended',
    }),
    attempts: z.int().min(0),
    ...lengthShape,
    eta_seconds: z.int().min(0).optional().openapi({
      description: 'At the speed at which it went on until now. Absent where nothing has been measured',
    }),
    error: JobError.nullable(),
    metadata: z.record(z.string(), z.string()),
    position: z.int().min(0).optional().openapi({
      description: 'How many of its lane are before it, while it is pending. Not in lists',
    }),
    partial_text: z.string().optional().openapi({
      description: 'The end of what has been heard until now, at most 2,000 characters. Not in lists',
    }),
    afterwards: z
      .array(z.strictObject({ ...stepShape, status: z.enum(['pending', 'done', 'failed', 'skipped']) }))
      .optional()
      .openapi({ description: 'The steps that were asked for, and what became of them. Not in lists' }),
    webhook: WebhookSchema.optional().openapi({
      description: 'What became of telling the `callback_url` that the job has ended. Not in lists',
    }),
  })
  .openapi('Job')

export const JobList = z
  .strictObject({
    object: z.literal('list'),
    data: z.array(JobSchema),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  })
  .openapi('JobList')

export const DeletedJob = z
  .strictObject({ id: z.uuid(), object: z.literal('job'), deleted: z.literal(true) })
  .openapi('DeletedJob')

/** `data` of the event `state`. */
export const JobStateEvent = z
  .strictObject({ status: z.enum(JOB_STATES), error: JobError.optional() })
  .openapi('JobStateEvent')

/** `data` of the event `window`. */
export const JobWindowEvent = z
  .strictObject({
    window: z.int().min(0).openapi({
      description:
        'Counted from 0. One that is not greater than the last: it was heard again, and what came since is void',
    }),
    text: z.string(),
    segments: z.array(z.strictObject({ id: z.int(), start: Seconds, end: Seconds, text: z.string() })),
    ...lengthShape,
  })
  .openapi('JobWindowEvent')

export const AsyncJob = z
  .strictObject({ job_id: z.uuid(), status: z.enum(JOB_STATES), message: z.string() })
  .openapi('AsyncJob')

export const AsyncJobStatus = z
  .strictObject({
    job_id: z.uuid(),
    status: z.enum(JOB_STATES),
    filename: z.string().nullable(),
    created_at: z.iso.datetime(),
    completed_at: z.iso.datetime().nullable(),
    error: z.string().nullable(),
    result: TaskTranscript.nullable(),
  })
  .openapi('AsyncJobStatus')

export const CancelledJob = z
  .strictObject({ message: z.string(), status: z.literal('cancelled') })
  .openapi('CancelledJob')

export const Task = z.strictObject({ task_id: z.uuid() }).openapi('Task')
export const TaskStatus = z
  .strictObject({
    task_id: z.uuid(),
    status: z.enum(['pending', 'processing', 'completed', 'failed']).openapi({
      description: 'A cancelled task is `failed`, and `error` says so',
    }),
    error: z.string().optional(),
  })
  .openapi('TaskStatus')
export const ReleasedTask = z
  .strictObject({ task_id: z.uuid(), released: z.literal(true) })
  .openapi('ReleasedTask')

const Count = z.int().min(0)
const CountsByState = z.strictObject(
  Object.fromEntries(JOB_STATES.map((state) => [state, Count])) as Record<
    (typeof JOB_STATES)[number],
    typeof Count
  >,
)
export const Queue = z
  .strictObject({
    waiting: Count.openapi({ description: 'Jobs that have not been begun' }),
    lanes: z.strictObject({ interactive: CountsByState, batch: CountsByState }),
  })
  .openapi('Queue')

export const JobOrTask = JobSchema.or(Task)

export const JOB_HEADERS = z.object({
  location: z.string().optional().meta({ description: 'Where the job is' }),
  [JOB_ID_HEADER]: z
    .string()
    .optional()
    .meta({ description: 'Of every answer that belongs to a job: its id' }),
  [REPLAYED_HEADER]: z.string().optional().meta({
    description: '`true`: the `Idempotency-Key` had been used for this order, and this is its job',
  }),
})

/** What a route may answer besides, where clients can have a job made of their request. */
export function laterAs(schema: z.ZodType): RouteConfig['responses'] {
  return {
    202: {
      description: 'It has become a job: `Location` says where it is, and the header `x-job-id` which',
      headers: JOB_HEADERS,
      content: jsonContent(schema),
    },
    ...failures(409),
  }
}
