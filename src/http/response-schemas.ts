/** What our answers look like: the document shows these, and the tests hold every answer against them. */
import { z } from '@hono/zod-openapi'

const Seconds = z.number().min(0).openapi({ description: 'Seconds from the start of the recording' })
const Probability = z.number().min(0).max(1)

const TimedWord = z.strictObject({ word: z.string(), start: Seconds, end: Seconds })
const ProbableWord = TimedWord.extend({ probability: Probability })

const Segment = z.strictObject({
  id: z.int(),
  seek: z.int(),
  start: Seconds,
  end: Seconds,
  text: z.string(),
  tokens: z.array(z.int()),
  temperature: z.number(),
  avg_logprob: z.number(),
  compression_ratio: z.number(),
  no_speech_prob: z.number(),
  words: z.array(ProbableWord).optional(),
  audio_start: Seconds.optional(),
  audio_end: Seconds.optional(),
})

const Judged = z.array(
  z.strictObject({
    reason: z.string().openapi({
      description:
        '`no_speech`: the model doubts that anybody spoke; `silence`: words where no speech is heard; `repetition`: a loop; ' +
        '`subtitle_credit`: what subtitlers write under films; `unsure`: improbable at every temperature',
      example: 'repetition',
    }),
    start: Seconds,
    end: Seconds,
    text: z.string(),
  }),
)

/** Both answers with a transcript say what the guards did, and leave out what did not happen. */
const guardShape = {
  dropped: Judged.optional().openapi({
    description: 'What a guard removed from the text. Left out when that is nothing',
  }),
  warnings: Judged.optional().openapi({
    description: 'What stands in the text although a guard doubts it. Left out when that is nothing',
  }),
}

const languageShape = {
  language: z.string().openapi({
    description:
      'The English name; `unknown` when it was to be detected and nobody speaks: then code and probability are left out',
    example: 'danish',
  }),
  language_code: z.string().optional().openapi({ example: 'da' }),
  language_probability: Probability.optional().openapi({
    description: 'Left out when the language was given',
  }),
}

/** Only in translations, whose `language` is that of the text. */
const sourceLanguageShape = {
  source_language: z.string().optional().openapi({
    description: 'The language spoken. Left out when it was to be detected and nobody speaks',
    example: 'danish',
  }),
  source_language_code: z.string().optional().openapi({ example: 'da' }),
  source_language_probability: Probability.optional().openapi({
    description: 'Left out when the language was given',
  }),
}

const Usage = z.strictObject({ type: z.literal('duration'), seconds: z.number() })

const Logprobs = z
  .array(z.strictObject({ token: z.string(), logprob: z.number().max(0), bytes: z.array(z.int()) }))
  .optional()
  .openapi({
    description:
      'When `include` asks for them. A token may be a part of a character; the `bytes` of all of them are the text, with the space before it',
  })

const Languages = z
  .array(z.strictObject({ code: z.string() }))
  .optional()
  .openapi({
    description:
      'The languages heard, none when nobody speaks. For requests with `languages`, and for the model `gpt-transcribe`',
  })

const plainShape = { text: z.string(), languages: Languages, logprobs: Logprobs, usage: Usage }

export const TranscriptionJson = z.strictObject(plainShape).openapi('TranscriptionJson')
export const TranslationJson = z.strictObject(plainShape).openapi('TranslationJson')

const verboseShape = {
  duration: Seconds,
  text: z.string(),
  segments: z.array(Segment),
  usage: Usage,
  ...guardShape,
}

export const TranscriptionVerboseJson = z
  .strictObject({
    task: z.enum(['transcribe', 'translate']),
    ...languageShape,
    language: z.string().openapi({
      description:
        "The English name, of a translation `english`; the code of what is spoken for requests in Vexa's manner. `unknown` when it was to be detected and nobody speaks: then code and probability are left out",
      example: 'danish',
    }),
    ...sourceLanguageShape,
    ...verboseShape,
    words: z.array(TimedWord).optional(),
  })
  .openapi('TranscriptionVerboseJson')

export const TranslationVerboseJson = z
  .strictObject({
    task: z.literal('translate'),
    language: z.literal('english').openapi({ description: "The text's language, as OpenAI has it" }),
    language_code: z.literal('en'),
    ...sourceLanguageShape,
    ...verboseShape,
    segments: z.array(Segment.omit({ words: true, audio_start: true, audio_end: true })),
  })
  .openapi('TranslationVerboseJson')

/** What a stream's `data:` lines hold before the last one, which is `[DONE]`. */
export const TranscriptTextDeltaEvent = z
  .strictObject({ type: z.literal('transcript.text.delta'), delta: z.string(), logprobs: Logprobs })
  .openapi('TranscriptTextDeltaEvent')

const TokenUsage = z.strictObject({
  type: z.literal('tokens'),
  input_tokens: z.int().min(0),
  input_token_details: z.strictObject({ text_tokens: z.int().min(0), audio_tokens: z.int().min(0) }),
  output_tokens: z.int().min(0),
  total_tokens: z.int().min(0),
})

export const TranscriptTextDoneEvent = z
  .strictObject({
    type: z.literal('transcript.text.done'),
    text: z.string().openapi({ description: 'The whole text: what all deltas were together' }),
    languages: Languages,
    logprobs: Logprobs,
    usage: TokenUsage.optional(),
  })
  .openapi('TranscriptTextDoneEvent')

export const TranscribeResponse = z
  .strictObject({
    text: z.string(),
    segments: z.array(z.strictObject({ start: Seconds, end: Seconds, text: z.string() })).optional(),
    words: z.array(ProbableWord).optional(),
    ...languageShape,
    duration: Seconds,
    ...guardShape,
    filename: z.string().optional(),
    timestamp: z.iso.datetime(),
  })
  .openapi('TranscribeResponse')

export const DetectLanguageResponse = z
  .strictObject({
    language: z.string().openapi({ example: 'danish' }),
    language_code: z.string().openapi({ example: 'da' }),
    probability: Probability,
    languages: z.array(z.strictObject({ code: z.string(), name: z.string(), probability: Probability })),
    duration: z.number().min(0).optional().openapi({
      description:
        "The recording's length in seconds. Left out when the language was found before all of a long recording had been decoded",
    }),
  })
  .openapi('DetectLanguageResponse')

export const Model = z
  .strictObject({ id: z.string(), object: z.literal('model'), created: z.int(), owned_by: z.string() })
  .openapi('Model')
export const ModelList = z
  .strictObject({ object: z.literal('list'), data: z.array(Model) })
  .openapi('ModelList')

export const Health = z
  .strictObject({
    status: z.enum(['healthy', 'loading', 'waiting', 'unhealthy']),
    model_loaded: z.boolean(),
    model_name: z.string(),
    worker_id: z
      .string()
      .optional()
      .openapi({ description: 'The name that WORKER_ID has given this server' }),
    message: z
      .string()
      .optional()
      .openapi({ description: 'What the engine is doing, or why it cannot work' }),
    fraction: Probability.optional().openapi({
      description: 'How much of the loading is done, where that is known',
    }),
    device: z.string().optional(),
    device_name: z.string().optional(),
    compute_type: z.string().optional(),
    slots: z.int().optional().openapi({ description: 'How many windows are decoded side by side' }),
    queue: z.strictObject({
      active: z.int(),
      waiting: z.int(),
      wait_seconds: z.number().min(0).optional().openapi({
        description:
          'How long a recording that comes now would wait for the engine, by its measured speed; absent before the first measurement',
      }),
    }),
    reasons: z
      .record(z.string(), z.string())
      .optional()
      .openapi({ description: 'Why the automatic settings fell as they did' }),
  })
  .openapi('Health')

export const Liveness = z.strictObject({ status: z.literal('alive') }).openapi('Liveness')
export const Readiness = z
  .strictObject({
    status: z.enum(['ready', 'not_ready']),
    message: z.string().optional().openapi({ description: 'Why not' }),
  })
  .openapi('Readiness')
export const Startup = z
  .strictObject({
    status: z.enum(['started', 'loading', 'failed']),
    message: z.string().optional().openapi({ description: 'What is being done, or why it cannot go on' }),
    fraction: Probability.optional().openapi({
      description: 'How much of this step is done, where that is known',
    }),
    ready_in_seconds: z.int().min(0).optional().openapi({
      description: 'An estimate: from the download’s speed, or from how long the last load took',
    }),
  })
  .openapi('Startup')

export const Root = z
  .strictObject({
    service: z.string(),
    description: z.string(),
    version: z.string(),
    model: z.string(),
    endpoints: z.record(z.string(), z.string()),
  })
  .openapi('Root')

export const ErrorResponse = z
  .strictObject({
    error: z.strictObject({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
  })
  .openapi('ErrorResponse')
