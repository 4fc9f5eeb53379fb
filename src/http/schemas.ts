/** Which text fields requests may hold, in zod: the same objects parse them and document them (request-schemas.ts). */
import { z } from '@hono/zod-openapi'
import { RESPONSE_FORMATS } from '../formats/render.ts'
import { flag, numberFrom, oneOf, wholeNumberFrom } from './field-types.ts'
import { TierField } from './tier.ts'

const MAX_KEYWORDS = 100
const MAX_KEYWORD_CHARACTERS = 200

const Language = z.string().optional().openapi({
  description:
    "The language spoken: `da`, `da-DK`, `danish`, `dansk`; `auto` detects it. Absent: the server's default, Danish unless configured.",
  example: 'da',
})

/** No examples here and below: Swagger UI fills them into its form, and they would be sent. */
const Languages = z.array(z.string()).optional().openapi({
  description:
    'Languages that may be spoken, as `language` is written; the most probable of them is taken. Does nothing beside a `language`. With it, `json` lists the `languages` heard.',
})

const tooMany = `a list of at most ${MAX_KEYWORDS} names or terms`
const tooLong = `a name or term of at most ${MAX_KEYWORD_CHARACTERS} characters`

const Keywords = z
  .array(z.string().max(MAX_KEYWORD_CHARACTERS, { error: tooLong }))
  .max(MAX_KEYWORDS, { error: tooMany })
  .optional()
  .openapi({ description: 'Names and terms that may occur: the model is told of them before the prompt.' })

const Guards = flag().optional().openapi({
  description:
    "Whether loops and inventions are removed, reported as `dropped` and `warnings`. `false`: the model's words as they are, without a second try at a higher temperature. Absent: the server's setting, on unless configured.",
})

/** OpenAI's VadConfig, and their `auto` as if it were one without members. */
export const ChunkingStrategy = z.object({
  type: z.enum(['auto', 'server_vad'], oneOf(['auto', 'server_vad'])).default('server_vad'),
  threshold: numberFrom(0, 1).optional().openapi({
    description: 'From which probability on a stretch is taken for speech.',
  }),
  prefix_padding_ms: wholeNumberFrom(0, 5000).optional().openapi({
    description: 'What is kept before and after speech.',
  }),
  silence_duration_ms: wholeNumberFrom(0, 4000).optional().openapi({
    description: 'A silence so long divides speech.',
  }),
})

const INCLUDABLE = ['logprobs'] as const
const GRANULARITIES = ['word', 'segment'] as const

/** What `POST /v1/audio/translations` understands, and `POST /v1/audio/transcriptions` as well. */
export const TranslationFields = z.object({
  model: z.string().optional().openapi({
    description:
      'The loaded model answers to its own name, to `whisper-1` and to the other names of `GET /v1/models`. Absent or empty: that model.',
    example: 'whisper-1',
  }),
  language: Language,
  languages: Languages,
  keywords: Keywords,
  prompt: z.string().optional().openapi({
    description: 'Names, terms or the text that came before: the model continues in its spelling and style.',
  }),
  response_format: z.enum(RESPONSE_FORMATS, oneOf(RESPONSE_FORMATS)).default('json'),
  temperature: numberFrom(0, 1).default(0).openapi({
    default: 0,
    description: '0 decodes greedily and tries higher temperatures only where that fails.',
  }),
  include: z
    .array(z.enum(INCLUDABLE, oneOf(INCLUDABLE)))
    .default([])
    .openapi({
      description: "`logprobs` adds each token's log probability to `json` and to a stream's events.",
    }),
  stream: flag().default(false).openapi({
    default: false,
    description:
      'Whether the text is sent as server-sent events while it is being made, whatever the `response_format`.',
  }),
  chunking_strategy: ChunkingStrategy.optional(),
  guards: Guards,
  transcription_tier: TierField,
})

/** Text fields of `POST /v1/audio/transcriptions`. The last three are Vexa's. */
export const TranscriptionFields = TranslationFields.extend({
  timestamp_granularities: z
    .array(z.enum(GRANULARITIES, oneOf(GRANULARITIES)))
    .default(['segment'])
    .openapi({
      description: 'With `verbose_json`: `word` adds word times. JSON lists and commas are understood, too.',
    }),
  task: z
    .enum(['transcribe', 'translate'], oneOf(['transcribe', 'translate']))
    .default('transcribe')
    .openapi({ description: '`translate` does what `POST /v1/audio/translations` does.' }),
  max_speech_duration_s: numberFrom(5, 86_400).optional().openapi({
    description: 'Longer speech is divided; it always is at what the model hears at once, 29 s.',
  }),
  min_silence_duration_ms: wholeNumberFrom(0, 4000).optional().openapi({
    description: "`chunking_strategy`'s `silence_duration_ms` under another name.",
  }),
})

/** Text fields of `POST /transcribe`. */
export const TranscribeFields = z.object({
  language: Language,
  include_timestamps: flag().default(true).openapi({
    default: true,
    description: 'Whether the answer holds `segments` and `words`.',
  }),
  guards: Guards,
  transcription_tier: TierField,
})

/** Text fields of `POST /detect-language`. */
export const DetectLanguageFields = z.object({ transcription_tier: TierField })
