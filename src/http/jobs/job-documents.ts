/** How the document shows jobs, in their three dialects. Nothing is served by these. */
import { type RouteConfig, z } from '@hono/zod-openapi'
import { MARKDOWN_TYPE } from '../../formats/markdown.ts'
import { CONTENT_TYPES } from '../../formats/render.ts'
import { failures, jsonContent, UPLOAD_FAILURES, uploadBody } from '../document-parts.ts'
import { JobRequest, TaskRequest, type UploadSchemas } from '../request-schemas.ts'
import { ORDER_HEADERS } from '../upload-identity.ts'
import * as schemas from './job-schemas.ts'
import { LAST_EVENT_HEADER } from './job-events.ts'
import { ResultQuery } from './job-result.ts'
import { ListQuery } from './jobs.ts'
import { DownloadQuery } from './tasks.ts'

const text = { schema: { type: 'string' } } as const

const params = z.object({ id: z.string().openapi({ description: "The job's id" }) })

const order = (body: UploadSchemas) => ({ ...uploadBody(body), headers: ORDER_HEADERS })

const ok = (description: string, schema: z.ZodType) => ({
  200: { description, headers: schemas.JOB_HEADERS, content: jsonContent(schema) },
})

/** 500 is the failure of the job itself, where it was ours. */
const NO_RESULT = failures(400, 404, 500)

export const JOB_PATHS: readonly RouteConfig[] = [
  {
    method: 'post',
    path: '/v1/jobs',
    summary: 'Hand in a recording, to be fetched as text some day',
    description:
      'The fields of a transcription, and exactly one of `file`, `url` and `upload_id`. It survives restarts. The same order under the same `Idempotency-Key` is answered 200 with the job that there is.',
    tags: ['Jobs'],
    request: order(JobRequest),
    responses: {
      ...ok('There was this job already', schemas.JobSchema),
      202: { description: 'The job', headers: schemas.JOB_HEADERS, content: jsonContent(schemas.JobSchema) },
      ...UPLOAD_FAILURES,
      ...failures(404, 409),
    },
  },
  {
    method: 'get',
    path: '/v1/jobs',
    summary: 'List jobs, the newest first',
    tags: ['Jobs'],
    request: { query: ListQuery },
    responses: { ...ok('A page of them', schemas.JobList), ...failures(400) },
  },
  {
    method: 'get',
    path: '/v1/jobs/{id}',
    summary: 'What has become of a job: status, place in line, percent, text so far',
    tags: ['Jobs'],
    request: { params },
    responses: { ...ok('The job', schemas.JobSchema), ...failures(404) },
  },
  {
    method: 'get',
    path: '/v1/jobs/{id}/result',
    summary: 'The transcript of a completed job, in any format',
    description: 'Of a job that failed it is its failure, with the status that the failure has elsewhere.',
    tags: ['Jobs'],
    request: { params, query: ResultQuery },
    responses: {
      200: {
        description: 'The transcript',
        headers: schemas.JOB_HEADERS,
        content: {
          ...jsonContent(schemas.JobJson.or(schemas.JobVerboseJson)),
          [CONTENT_TYPES.text]: text,
          [CONTENT_TYPES.srt]: text,
          [CONTENT_TYPES.vtt]: text,
          [MARKDOWN_TYPE]: text,
        },
      },
      ...NO_RESULT,
      ...failures(413, 503, 507),
    },
  },
  {
    method: 'get',
    path: '/v1/jobs/{id}/events',
    summary: 'What happens to a job, as server-sent events',
    description:
      'Named `state` and `window`, with ids; `Last-Event-ID` goes on after the one that was seen last. The stream ends when the job has ended. 204: nothing follows any more.',
    tags: ['Jobs'],
    request: {
      params,
      headers: z.object({
        [LAST_EVENT_HEADER]: z.string().optional().meta({ description: 'The last id that was seen' }),
      }),
    },
    responses: {
      200: {
        description: 'Events until the job has ended; lines that begin with a colon say nothing',
        headers: schemas.JOB_HEADERS,
        content: { 'text/event-stream': { schema: schemas.JobStateEvent.or(schemas.JobWindowEvent) } },
      },
      204: { description: 'The job has ended, and all of it has been seen' },
      ...failures(400, 404),
    },
  },
  {
    method: 'post',
    path: '/v1/jobs/{id}/cancel',
    summary: 'Cancel a job that has not ended',
    tags: ['Jobs'],
    request: { params },
    responses: { ...ok('The job', schemas.JobSchema), ...failures(400, 404) },
  },
  {
    method: 'post',
    path: '/v1/jobs/{id}/retry',
    summary: 'Try a failed or cancelled job again, from where it was',
    tags: ['Jobs'],
    request: { params },
    responses: { ...ok('The job', schemas.JobSchema), ...failures(400, 404, 410) },
  },
  {
    method: 'delete',
    path: '/v1/jobs/{id}',
    summary: 'Delete a job with its recording, its result and its events, whatever its state',
    tags: ['Jobs'],
    request: { params },
    responses: { ...ok('It is gone', schemas.DeletedJob), ...failures(404) },
  },
]

export const ASYNC_PATHS: readonly RouteConfig[] = [
  {
    method: 'post',
    path: '/transcribe/async',
    summary: 'Start a transcription job',
    tags: ['Jobs for /transcribe'],
    request: order(TaskRequest),
    responses: { ...ok('The job', schemas.AsyncJob), ...UPLOAD_FAILURES, ...failures(404, 409) },
  },
  {
    method: 'get',
    path: '/jobs/{id}/status',
    summary: 'Status of a transcription job, and its result',
    tags: ['Jobs for /transcribe'],
    request: { params },
    responses: { ...ok('The status', schemas.AsyncJobStatus), ...failures(404) },
  },
  {
    method: 'get',
    path: '/jobs/{id}/result',
    summary: 'Result of a completed transcription job',
    tags: ['Jobs for /transcribe'],
    request: { params },
    responses: { ...ok('The transcript', schemas.TaskTranscript), ...NO_RESULT },
  },
  {
    method: 'post',
    path: '/jobs/{id}/cancel',
    summary: 'Cancel a transcription job',
    tags: ['Jobs for /transcribe'],
    request: { params },
    responses: { ...ok('It is cancelled', schemas.CancelledJob), ...failures(400, 404) },
  },
]

const released = { ...ok('Nothing of it is left', schemas.ReleasedTask), ...failures(404) }

export const TASK_PATHS: readonly RouteConfig[] = [
  {
    method: 'get',
    path: '/status/{id}',
    summary: 'Status of a task',
    tags: ['Tasks'],
    request: { params },
    responses: { ...ok('The status', schemas.TaskStatus), ...failures(404) },
  },
  {
    method: 'get',
    path: '/download/{id}',
    summary: "A task's transcript, as JSON or Markdown",
    description: 'Fails if the task was given an `s3_path`.',
    tags: ['Tasks'],
    request: { params, query: DownloadQuery },
    responses: {
      200: {
        description: 'The transcript',
        headers: schemas.JOB_HEADERS,
        content: { ...jsonContent(schemas.TaskTranscript), [MARKDOWN_TYPE]: text },
      },
      ...NO_RESULT,
    },
  },
  {
    method: 'delete',
    path: '/release/{id}',
    summary: 'Delete all files of a task',
    tags: ['Tasks'],
    request: { params },
    responses: released,
  },
  {
    method: 'post',
    path: '/release/{id}',
    summary: 'The same, for clients that know GET and POST only',
    tags: ['Tasks'],
    request: { params },
    responses: released,
  },
  {
    method: 'get',
    path: '/queue',
    summary: 'How many jobs wait, and how many there are of every kind',
    tags: ['Tasks'],
    responses: { 200: { description: 'The counts', content: jsonContent(schemas.Queue) } },
  },
]
