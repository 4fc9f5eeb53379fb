/** `/uploads`: recordings that come in pieces, by the tus protocol. HTTP in, HTTP out; the protocol is uploads/tus-server.ts. */
import { type RouteConfig, z } from '@hono/zod-openapi'
import { type Context, Hono } from 'hono'
import type { StatusCode } from 'hono/utils/http-status'
import { Failure } from '../../failure.ts'
import { chunksOf } from '../../upload/body.ts'
import { TusServer } from '../../uploads/tus-server.ts'
import { failures } from '../document-parts.ts'
import { enterWithinLimits } from '../limits.ts'
import type { HttpEnv, Parts } from '../parts.ts'
import { IDLE_MS } from '../upload-route.ts'

const PATH = '/uploads'
const TUS_VERSION = '1.0.0'

/** What a page has to read of the answers. */
export const TUS_ANSWER_HEADERS = [
  'tus-resumable',
  'tus-version',
  'tus-extension',
  'tus-max-size',
  'upload-offset',
  'upload-length',
  'upload-defer-length',
  'upload-metadata',
  'upload-expires',
]

export function tusRoutes(parts: Parts): Hono<HttpEnv> {
  const tus = new TusServer(parts.uploads, PATH)
  const ask = (c: Context<HttpEnv>) => answer(c, tus, parts)
  const askOfOwn = async (c: Context<HttpEnv>) => {
    c.header('tus-resumable', TUS_VERSION)
    await parts.uploads.require(c.req.param('id') ?? '', c.get('clientId'))
    return ask(c)
  }
  return (
    new Hono<HttpEnv>()
      .post(PATH, async (c) => {
        using _request = await enterWithinLimits(c, parts)
        return ask(c)
      })
      .options(PATH, ask)
      // Hono asks a GET where a HEAD came; of the two the protocol knows HEAD alone.
      .get(`${PATH}/:id{[^/]+}`, async (c) => {
        if (c.req.raw.method === 'HEAD') return askOfOwn(c)
        c.header('allow', 'HEAD, PATCH, DELETE, OPTIONS')
        throw new Failure(
          'method_not_allowed',
          'An upload is not read back; HEAD says how much of it is there.',
        )
      })
      .patch(`${PATH}/:id{[^/]+}`, askOfOwn)
      .delete(`${PATH}/:id{[^/]+}`, askOfOwn)
  )
}

/** @throws Failure in the place of tus' own refusals: one kind of error for all that we serve. */
async function answer(c: Context<HttpEnv>, tus: TusServer, { uploads }: Parts): Promise<Response> {
  const { raw } = c.req
  c.header('tus-resumable', TUS_VERSION)
  c.header('tus-version', TUS_VERSION)
  const limits = { maxBodyBytes: uploads.maxBytes, idleMs: IDLE_MS }
  const broken: { error?: unknown } = {}
  const chunks = noting(chunksOf(raw.body, limits, raw.signal), broken)
  try {
    const request = raw.body === null ? raw : withBody(raw, chunks)
    const { status, headers, body } = await tus.answer({ request, owner: c.get('clientId') })
    // Made by Hono, so that it carries what else has been said in headers.
    return c.newResponse(body, status as StatusCode, Object.fromEntries(headers))
  } catch (error) {
    // What broke the body is why it was refused.
    throw broken.error ?? error
  } finally {
    void letGo(chunks)
  }
}

function withBody({ url, method, headers }: Request, chunks: AsyncIterable<Uint8Array>): Request {
  const init = { method, headers, body: ReadableStream.from(chunks), duplex: 'half' as const }
  return new Request(url, init)
}

async function* noting(
  chunks: AsyncIterable<Uint8Array>,
  broken: { error?: unknown },
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* chunks
  } catch (error) {
    broken.error = error
    throw error
  }
}

/** Of a refused piece the rest is still to come, and has to go somewhere (upload/body.ts): nobody waits for it. */
async function letGo(chunks: AsyncGenerator<Uint8Array, void, undefined>): Promise<void> {
  try {
    await chunks.return()
  } catch {
    // The client has gone, and the rest with it.
  }
}

const TUS_HEADER = { 'tus-resumable': z.literal(TUS_VERSION) } as const
const SIZE = z.coerce.number().int().min(0)
const NAMED = { params: z.object({ id: z.string().openapi({ description: 'The last step of `Location`' }) }) }
const bytes = {
  required: true,
  content: { 'application/offset+octet-stream': { schema: { type: 'string', format: 'binary' } } },
} as const

export const TUS_PATHS: readonly RouteConfig[] = [
  {
    method: 'options',
    path: PATH,
    summary: 'What uploads may be (tus 1.0.0)',
    tags: ['Uploads'],
    responses: {
      204: {
        description: 'Versions, extensions and the largest size; without a key',
        headers: z.object({
          ...TUS_HEADER,
          'tus-version': z.literal(TUS_VERSION),
          'tus-extension': z.string(),
          'tus-max-size': SIZE,
        }),
      },
    },
  },
  {
    method: 'post',
    path: PATH,
    summary: 'Begin an upload that may be interrupted (tus 1.0.0)',
    description:
      'Creation, creation-with-upload, creation-defer-length, expiration and termination of https://tus.io/protocols/resumable-upload. The last step of `Location` is the `upload_id` that the speech endpoints take in the place of a file.',
    tags: ['Uploads'],
    request: {
      headers: z.object({
        ...TUS_HEADER,
        'upload-length': SIZE.optional().openapi({ description: 'Or `Upload-Defer-Length: 1`' }),
        'upload-metadata': z.string().optional().openapi({
          description: '`filename` and its value in base64; whatever else is told back',
        }),
      }),
    },
    responses: {
      201: {
        description: 'It may come now, to where `Location` says',
        headers: z.object({ ...TUS_HEADER, location: z.string(), 'upload-expires': z.string().optional() }),
      },
      ...failures(400, 408, 409, 412, 413, 429, 500, 507),
    },
  },
  {
    method: 'patch',
    path: `${PATH}/{id}`,
    summary: 'Go on with an upload',
    tags: ['Uploads'],
    request: { ...NAMED, headers: z.object({ ...TUS_HEADER, 'upload-offset': SIZE }), body: bytes },
    responses: {
      204: {
        description: 'So much is there, and on the disk',
        headers: z.object({ ...TUS_HEADER, 'upload-offset': SIZE, 'upload-expires': z.string().optional() }),
      },
      ...failures(400, 404, 408, 409, 412, 413, 500, 507),
    },
  },
  {
    method: 'head',
    path: `${PATH}/{id}`,
    summary: 'How much of an upload is there',
    tags: ['Uploads'],
    request: { ...NAMED, headers: z.object(TUS_HEADER) },
    responses: {
      200: {
        description: 'So much',
        headers: z.object({ ...TUS_HEADER, 'upload-offset': SIZE, 'upload-length': SIZE.optional() }),
      },
      ...failures(400, 404, 412),
    },
  },
  {
    method: 'delete',
    path: `${PATH}/{id}`,
    summary: 'Delete an upload, whole or not',
    tags: ['Uploads'],
    request: { ...NAMED, headers: z.object(TUS_HEADER) },
    responses: { 204: { description: 'It is gone' }, ...failures(400, 404, 412) },
  },
]
