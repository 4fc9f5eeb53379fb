/** How the document shows the answers that hold speech: whole in every format, or as a stream of events. */
import type { z } from '@hono/zod-openapi'
import { CONTENT_TYPES } from '../formats/render.ts'
import { JOINABLE_ANSWER_HEADERS, jsonContent, UPLOAD_FAILURES } from './document-parts.ts'
import { JobSchema, laterAs } from './jobs/job-schemas.ts'
import { TranscriptTextDeltaEvent, TranscriptTextDoneEvent } from './response-schemas.ts'

const text = { schema: { type: 'string' } } as const

/** @param json what `json` and `verbose_json` answer with. */
export function speechResponses(json: z.ZodType) {
  return {
    200: {
      description:
        'The text in the `response_format` asked for. With `stream` an event stream: each `data:` line holds one of the events, the last one `[DONE]`; lines that begin with a colon say nothing but that we are still here. Without `stream`, an answer that takes long begins with whitespace, and a connection that breaks off then is a failure',
      headers: JOINABLE_ANSWER_HEADERS,
      content: {
        ...jsonContent(json),
        [CONTENT_TYPES.text]: text,
        [CONTENT_TYPES.srt]: text,
        [CONTENT_TYPES.vtt]: text,
        'text/event-stream': { schema: TranscriptTextDeltaEvent.or(TranscriptTextDoneEvent) },
      },
    },
    ...laterAs(JobSchema),
    ...UPLOAD_FAILURES,
  }
}
