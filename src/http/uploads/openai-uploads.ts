/** `/v1/uploads`, OpenAI's: a recording in parts of up to 64 MB. HTTP in, HTTP out; what becomes of the parts is decided in uploads/. */
import { type RouteConfig, z } from '@hono/zod-openapi'
import { type Context, Hono } from 'hono'
import { Failure } from '../../failure.ts'
import { withFile } from '../../upload/receive.ts'
import { PartUploads } from '../../uploads/part-uploads.ts'
import type { KeptUpload } from '../../uploads/upload-directory.ts'
import { failures, jsonContent } from '../document-parts.ts'
import { enterWithinLimits } from '../limits.ts'
import type { HttpEnv, Parts } from '../parts.ts'
import { IDLE_MS } from '../upload-route.ts'
import { parseJsonBody } from './json-body.ts'
import { receivePart } from './part-body.ts'
import { CompleteRequest, CreateRequest, PartRequest, UploadObject, UploadPart } from './upload-schemas.ts'

const PATH = '/v1/uploads'

export function openAiUploadRoutes(parts: Parts): Hono<HttpEnv> {
  const { uploads } = parts
  const partUploads = new PartUploads(uploads)
  const own = async (c: Context<HttpEnv>): Promise<KeptUpload> => {
    const found = await uploads.require(c.req.param('id') ?? '', c.get('clientId'), 'upload_id')
    if (found.record.kind === 'parts') return found
    throw new Failure('invalid_value', 'The upload came by tus, and has no parts.', { param: 'upload_id' })
  }
  return new Hono<HttpEnv>()
    .post(PATH, async (c) => {
      using _request = await enterWithinLimits(c, parts)
      const { bytes, filename, purpose, expires_after } = await parseJsonBody(c, CreateRequest, IDLE_MS)
      const owner = c.get('clientId')
      const keptMs = expires_after ? Math.min(expires_after.seconds * 1000, uploads.lifetimeMs) : undefined
      const record = await uploads.create(
        {
          kind: 'parts',
          sizeBytes: bytes,
          name: filename,
          purpose,
          ...(owner !== undefined && { owner }),
          ...(keptMs !== undefined && { keptMs }),
        },
        'bytes',
      )
      return c.json(shown(parts, { record, touchedAtMs: record.createdAtMs }))
    })
    .post(`${PATH}/:id{[^/]+}/parts`, async (c) => {
      const { record } = await own(c)
      await using part = await receivePart(c, parts, IDLE_MS)
      const { file } = await withFile(part)
      const id = await partUploads.addPart(record, file.path)
      return c.json({
        id,
        object: 'upload.part' as const,
        created_at: seconds(uploads.nowMs()),
        upload_id: record.id,
      })
    })
    .post(`${PATH}/:id{[^/]+}/complete`, async (c) => {
      const { record } = await own(c)
      const { part_ids, md5 } = await parseJsonBody(c, CompleteRequest, IDLE_MS)
      const completed = await partUploads.complete(record.id, {
        partIds: part_ids,
        md5: md5 ?? undefined,
      })
      return c.json(shown(parts, { record: completed, touchedAtMs: uploads.nowMs() }))
    })
    .post(`${PATH}/:id{[^/]+}/cancel`, async (c) => {
      const { record, touchedAtMs } = await own(c)
      return c.json(shown(parts, { record: await partUploads.cancel(record.id), touchedAtMs }))
    })
}

/** The file has the id of its upload: either may be used. */
function shown({ uploads }: Parts, upload: KeptUpload): z.output<typeof UploadObject> {
  const { id, createdAtMs, completedAtMs, name = '', purpose = '', sizeBytes = 0, state } = upload.record
  const expires_at = seconds(uploads.expiresAtMs(upload))
  const same = { id, bytes: sizeBytes, filename: name, purpose, expires_at }
  const file = completedAtMs === undefined ? null : fileOf(same, completedAtMs)
  return { ...same, object: 'upload', created_at: seconds(createdAtMs), status: state, file }
}

function fileOf<Same extends object>(same: Same, completedAtMs: number) {
  return {
    ...same,
    object: 'file' as const,
    created_at: seconds(completedAtMs),
    status: 'processed' as const,
  }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}

const NAMED = { params: z.object({ id: z.string().openapi({ description: "The upload's `id`" }) }) }

function answered(description: string, schema: z.ZodType) {
  return { 200: { description, content: jsonContent(schema) } }
}

export const OPENAI_UPLOAD_PATHS: readonly RouteConfig[] = [
  {
    method: 'post',
    path: PATH,
    summary: 'Begin an upload in parts, as OpenAI does',
    description:
      'Its `id`, once it is complete, is the `upload_id` that the speech endpoints take in the place of a file.',
    tags: ['Uploads'],
    request: { body: { required: true, content: jsonContent(CreateRequest) } },
    responses: { ...answered('The upload', UploadObject), ...failures(400, 408, 413, 415, 429, 500, 507) },
  },
  {
    method: 'post',
    path: `${PATH}/{id}/parts`,
    summary: 'Send a part of an upload',
    description: 'Up to 64 MB, in any order, several at once.',
    tags: ['Uploads'],
    request: {
      ...NAMED,
      body: { required: true, content: { 'multipart/form-data': { schema: PartRequest } } },
    },
    responses: { ...answered('The part', UploadPart), ...failures(400, 404, 408, 413, 415, 500, 507) },
  },
  {
    method: 'post',
    path: `${PATH}/{id}/complete`,
    summary: 'Put the parts of an upload together',
    tags: ['Uploads'],
    request: { ...NAMED, body: { required: true, content: jsonContent(CompleteRequest) } },
    responses: {
      ...answered('The upload, with its `file`', UploadObject),
      ...failures(400, 404, 408, 413, 415, 500, 507),
    },
  },
  {
    method: 'post',
    path: `${PATH}/{id}/cancel`,
    summary: 'Give up an upload',
    tags: ['Uploads'],
    request: NAMED,
    responses: { ...answered('The upload', UploadObject), ...failures(400, 404, 500) },
  },
]
