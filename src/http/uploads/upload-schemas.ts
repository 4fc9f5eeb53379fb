/** What is said to `/v1/uploads` and what it answers, as OpenAI's SDKs have it. */
import { z } from '@hono/zod-openapi'

const MAX_NAME_CHARACTERS = 255
const MAX_PARTS = 10_000

export const CreateRequest = z
  .object({
    bytes: z.int('a whole number').min(1, 'at least 1').openapi({ description: 'Of the whole recording' }),
    filename: z
      .string('a string')
      .max(MAX_NAME_CHARACTERS, `a name of at most ${MAX_NAME_CHARACTERS} characters`),
    mime_type: z.string('a string').optional().openapi({
      description: 'Does not matter: the recording itself says what it is',
      example: 'audio/wav',
    }),
    purpose: z.string('a string').max(MAX_NAME_CHARACTERS).default('user_data'),
    expires_after: z
      .object({
        anchor: z.literal('created_at', 'created_at'),
        seconds: z.int('a whole number').min(3600, 'at least 3600').max(2_592_000, 'at most 2592000'),
      })
      .nullish()
      .openapi({
        description: 'Counted from when it is complete; never longer than this server keeps uploads',
      }),
  })
  .openapi('UploadCreateRequest')

export const CompleteRequest = z
  .object({
    part_ids: z
      .array(z.string())
      .min(1, 'a list of at least one part')
      .max(MAX_PARTS, `a list of at most ${MAX_PARTS} parts`),
    md5: z.string('a string').nullish().openapi({ description: 'Of the whole recording, in hexadecimal' }),
  })
  .openapi('UploadCompleteRequest')

export const PartRequest = z
  .object({
    data: z.custom<Blob>((value) => value instanceof Blob).openapi({ type: 'string', format: 'binary' }),
  })
  .openapi('UploadPartRequest')

const Seconds = z.int().openapi({ description: 'Seconds since 1970' })

const UploadedFileObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('file'),
    bytes: z.int(),
    created_at: Seconds,
    expires_at: Seconds,
    filename: z.string(),
    purpose: z.string(),
    status: z.literal('processed'),
  })
  .openapi('UploadedFile')

export const UploadObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('upload'),
    bytes: z.int(),
    created_at: Seconds,
    expires_at: Seconds,
    filename: z.string(),
    purpose: z.string(),
    status: z.enum(['pending', 'completed', 'cancelled']),
    file: UploadedFileObject.nullable(),
  })
  .openapi('Upload')

export const UploadPart = z
  .strictObject({
    id: z.string(),
    object: z.literal('upload.part'),
    created_at: Seconds,
    upload_id: z.string(),
  })
  .openapi('UploadPart')
