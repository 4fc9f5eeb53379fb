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

const Dropped = z
  .array(z.strictObject({ reason: z.string(), start: Seconds, end: Seconds, text: z.string() }))
  .optional()
  .openapi({ description: 'What a guard removed from the text, and why' })

const Usage = z.strictObject({ type: z.literal('duration'), seconds: z.number() })

export const TranscriptionJson = z
  .strictObject({ text: z.string(), usage: Usage })
  .openapi('TranscriptionJson')

export const TranscriptionVerboseJson = z
  .strictObject({
    task: z.enum(['transcribe', 'translate']),
    language: z.string().openapi({ example: 'danish' }),
    language_code: z.string().openapi({ example: 'da' }),
    language_probability: Probability.optional().openapi({
      description: 'Left out when the language was given',
    }),
    duration: Seconds,
    text: z.string(),
    segments: z.array(Segment),
    words: z.array(TimedWord).optional(),
    usage: Usage,
    dropped: Dropped,
  })
  .openapi('TranscriptionVerboseJson')

export const TranscribeResponse = z
  .strictObject({
    text: z.string(),
    segments: z.array(z.strictObject({ start: Seconds, end: Seconds, text: z.string() })).optional(),
    words: z.array(ProbableWord).optional(),
    language: z.string().openapi({ example: 'danish' }),
    language_code: z.string().openapi({ example: 'da' }),
    language_probability: Probability.optional(),
    duration: Seconds,
    dropped: Dropped,
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
    duration: Seconds,
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
    status: z.enum(['healthy', 'loading', 'unhealthy']),
    model_loaded: z.boolean(),
    model_name: z.string(),
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
    queue: z.strictObject({ active: z.int(), waiting: z.int() }),
    reasons: z
      .record(z.string(), z.string())
      .optional()
      .openapi({ description: 'Why the automatic settings fell as they did' }),
  })
  .openapi('Health')

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
