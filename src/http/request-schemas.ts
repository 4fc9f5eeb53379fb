/** How the document shows what uploads may hold: as a form with a file, or as JSON with the file in base64. Nothing is parsed by these. */
import { z } from '@hono/zod-openapi'
import { isList } from './field-types.ts'
import { JobFields, METADATA_IN_FORM, METADATA_IN_JSON, TaskFields } from './jobs/job-fields.ts'
import { ChunkingStrategy, DetectLanguageFields, TranscriptionFields, TranslationFields } from './schemas.ts'

const FilePart = z
  .custom<Blob>((value) => value instanceof Blob)
  .openapi({
    type: 'string',
    format: 'binary',
    description:
      'The recording: anything ffmpeg reads, audio or video. Its name and media type do not matter.',
  })

const InputAudio = z
  .object({
    data: z.string().openapi({ format: 'byte', description: 'The recording in base64.' }),
    format: z
      .string()
      .optional()
      .openapi({ example: 'wav', description: 'Does not matter: the recording itself says what it is.' }),
  })
  .openapi('InputAudio')

/** In the place of a file; recording-elsewhere.ts reads them, whatever else is asked. */
const elsewhere = {
  upload_id: z.string().optional().openapi({
    description: 'Instead of a file: the `id` of an earlier upload by `POST /uploads` or `POST /v1/uploads`.',
  }),
  url: z.string().optional().openapi({
    description: 'Instead of a file: where it is fetched, if the setting ALLOW_URL says so.',
  }),
}

const CHUNKING =
  '`auto`, or an object of type `server_vad` that says where a recording may be divided. What is left out is as the speech detector has it.'

/** A form holds no objects: SDKs write `chunking_strategy[threshold]`, curl's users write JSON. */
const chunkingInForm = z
  .string()
  .optional()
  .openapi({
    description: `${CHUNKING} As JSON, \`{"type": "server_vad", "silence_duration_ms": 500}\`, or as fields of their own: \`chunking_strategy[type]\` and so on.`,
  })

const chunkingInJson = z
  .union([z.literal('auto'), ChunkingStrategy])
  .optional()
  .openapi({ description: CHUNKING })

/** Lists are documented as SDKs spell them: the bare name of one is how Vexa is recognised (vexa.ts). */
function asForm(fields: z.ZodObject) {
  const parts = Object.entries(fields.shape).map(([field, type]) => {
    if (field === 'chunking_strategy') return [field, chunkingInForm] as const
    return [isList(type) ? `${field}[]` : field, type] as const
  })
  return z.object({ file: FilePart.optional(), ...elsewhere, ...Object.fromEntries(parts) })
}

function asJson(fields: z.ZodObject) {
  const members = 'chunking_strategy' in fields.shape ? { chunking_strategy: chunkingInJson } : {}
  return z.object({ input_audio: InputAudio.optional(), ...elsewhere, ...fields.shape, ...members })
}

/** The body of an upload in both of its forms. `name` is that of its schema in the document. */
function uploadOf(fields: z.ZodObject, name: string) {
  return { form: asForm(fields).openapi(name), json: asJson(fields).openapi(`${name}Json`) }
}

/** Of what may name its recording instead of bringing it, and is kept with the client's metadata. */
function orderOf(fields: z.ZodObject, name: string) {
  const form = asForm(fields).extend({ file: FilePart.optional(), metadata: METADATA_IN_FORM })
  const json = asJson(fields).extend({ input_audio: InputAudio.optional(), metadata: METADATA_IN_JSON })
  return { form: form.openapi(name), json: json.openapi(`${name}Json`) }
}

export interface UploadSchemas {
  readonly form: z.ZodObject
  readonly json: z.ZodObject
}

export const TranscriptionRequest = uploadOf(TranscriptionFields, 'TranscriptionRequest')
export const TranslationRequest = uploadOf(TranslationFields, 'TranslationRequest')
export const DetectLanguageRequest = uploadOf(DetectLanguageFields, 'DetectLanguageRequest')
export const TranscribeRequest = orderOf(TaskFields, 'TranscribeRequest')
export const JobRequest = orderOf(JobFields, 'JobRequest')
export const TaskRequest = orderOf(TaskFields, 'TaskRequest')
