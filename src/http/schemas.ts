/** What requests may hold, in zod: the same objects parse the fields and document them. */
import { z } from '@hono/zod-openapi'
import { RESPONSE_FORMATS } from '../formats/render.ts'

/** Documents the part; it is streamed to disk by upload/ and never passes through zod. */
const FilePart = z
  .custom<Blob>((value) => value instanceof Blob)
  .openapi({
    type: 'string',
    format: 'binary',
    description:
      'The recording: anything ffmpeg reads, audio or video. Its name and media type do not matter.',
  })

const oneOf = (values: readonly string[]) => ({ error: `one of ${values.join(', ')}` })

const Language = z.string().optional().openapi({
  description:
    "The language spoken: `da`, `da-DK`, `danish`, `dansk`; `auto` detects it. Absent: the server's default, Danish unless configured.",
  example: 'da',
})

const YES = ['true', '1', 'yes', 'on']
const NO = ['false', '0', 'no', 'off']
const flag = () => z.stringbool({ truthy: YES, falsy: NO, error: 'true or false' })

const Guards = flag().optional().openapi({
  // Said again here and below, because what is parsed from a string is documented as one.
  type: 'boolean',
  description:
    "Whether loops and inventions are removed, reported as `dropped` and `warnings`. `false`: the model's words as they are, without a second try at a higher temperature. Absent: the server's setting, on unless configured.",
})

const GRANULARITIES = ['word', 'segment'] as const

/** Text fields of `POST /v1/audio/transcriptions`. */
export const TranscriptionFields = z.object({
  model: z.string().optional().openapi({
    description:
      'The loaded model answers to its own name, to `whisper-1` and to the other names of `GET /v1/models`.',
    example: 'whisper-1',
  }),
  language: Language,
  prompt: z.string().optional().openapi({
    description: 'Names, terms or the text that came before: the model continues in its spelling and style.',
  }),
  response_format: z.enum(RESPONSE_FORMATS, oneOf(RESPONSE_FORMATS)).default('json'),
  temperature: z.coerce
    .number({ error: 'a number from 0 to 1' })
    .min(0, { error: 'a number from 0 to 1' })
    .max(1, { error: 'a number from 0 to 1' })
    .default(0)
    .openapi({
      // Said again, because a coerced number is documented as one that may be null.
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0,
      description: '0 decodes greedily and tries higher temperatures only where that fails.',
    }),
  timestamp_granularities: z
    .array(z.enum(GRANULARITIES, oneOf(GRANULARITIES)))
    .default(['segment'])
    .openapi({
      description: 'With `verbose_json`: `word` adds word times. JSON lists and commas are understood, too.',
    }),
  guards: Guards,
})

/** Text fields of `POST /transcribe`. */
export const TranscribeFields = z.object({
  language: Language,
  include_timestamps: flag().default(true).openapi({
    type: 'boolean',
    default: true,
    description: 'Whether the answer holds `segments` and `words`.',
  }),
  guards: Guards,
})

const { timestamp_granularities, ...scalarFields } = TranscriptionFields.shape

/** Documented as SDKs spell it: the bare name of the list is how Vexa is recognised (see transcriptions.ts). */
export const TranscriptionRequest = z
  .object({ file: FilePart, ...scalarFields, 'timestamp_granularities[]': timestamp_granularities })
  .openapi('TranscriptionRequest')
export const TranscribeRequest = z
  .object({ file: FilePart, ...TranscribeFields.shape })
  .openapi('TranscribeRequest')
export const DetectLanguageRequest = z.object({ file: FilePart }).openapi('DetectLanguageRequest')
