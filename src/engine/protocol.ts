/**
 * Every message of PROTOCOL.md, as it is on the wire (snake_case, seconds). Strict: a field that we do not know is an error.
 * What the messages mean to us is decided in `from-wire.ts`; `python/whisper_worker/protocol.py` is the other half.
 */
import { z } from 'zod'
import { SPEECH_DETECTION_RANGES as RANGES } from '../transcript.ts'

/** The number both sides say at the handshake; another one means an installation of two halves. */
export const PROTOCOL = 3

const id = z.int().positive()
const seconds = z.number().nonnegative()
const probability = z.number().min(0).max(1)

const Word = z.strictObject({ word: z.string(), start: seconds, end: seconds, probability })

const TokenLogprob = z.strictObject({
  token: z.string(),
  logprob: z.number().max(0),
  bytes: z.array(z.int().min(0).max(255)),
})

const Segment = z.strictObject({
  seek: z.int().nonnegative(),
  start: seconds,
  end: seconds,
  text: z.string(),
  tokens: z.array(z.int()),
  temperature: z.number(),
  avg_logprob: z.number(),
  compression_ratio: z.number(),
  no_speech_prob: probability,
  words: z.array(Word).nullable(),
  /** One for each of `tokens`; null when nobody asked. */
  logprobs: z.array(TokenLogprob).nullable(),
})

const Hello = z.strictObject({ kind: z.literal('hello'), protocol: z.int(), pid: z.int() })

const Loading = z.strictObject({
  kind: z.literal('loading'),
  stage: z.enum(['downloading', 'loading', 'warming_up']),
  message: z.string(),
  fraction: probability.nullable(),
})

const Ready = z.strictObject({
  kind: z.literal('ready'),
  model: z.strictObject({ id: z.string(), revision: z.string().nullable(), directory: z.string() }),
  device: z.string(),
  device_name: z.string(),
  compute_type: z.string(),
  languages: z.array(z.string()),
  is_multilingual: z.boolean(),
  can_translate: z.boolean(),
  has_word_timestamps: z.boolean(),
  vad: z.string(),
  slots: z.int().positive(),
  repairs: z.array(z.string()),
  reasons: z.record(z.string(), z.string()),
  versions: z.record(z.string(), z.string()),
})

const Fatal = z.strictObject({
  kind: z.literal('fatal'),
  code: z.enum([
    'model_unavailable',
    'model_unsupported',
    'device_unavailable',
    'device_failed',
    'protocol_error',
    'internal',
  ]),
  message: z.string(),
})

/** More of the text of a window that is still being decoded. */
const Delta = z.strictObject({
  kind: z.literal('delta'),
  id,
  index: z.int().nonnegative(),
  text: z.string(),
})

const judged = <const Reason extends string>(...reasons: Reason[]) =>
  z.array(z.strictObject({ reason: z.enum(reasons), start: seconds, end: seconds, text: z.string() }))

const Timings = z.strictObject({
  waited_seconds: seconds,
  vad_seconds: seconds,
  encode_seconds: seconds,
  decode_seconds: seconds,
})

/** How far a recording has come with a window. Said by one child, and given back as it is to another, which goes on there. */
export const Checkpoint = z.strictObject({
  windows: z.int().positive(),
  samples: z.int().positive(),
  language: z.string(),
  language_probability: probability.nullable(),
  extra_attempts: z.int().nonnegative(),
  timings: Timings,
})

const Window = z.strictObject({
  kind: z.literal('window'),
  id,
  index: z.int().nonnegative(),
  start: seconds,
  end: seconds,
  language: z.string(),
  segments: z.array(Segment),
  dropped: judged('no_speech', 'silence', 'repetition', 'subtitle_credit'),
  warnings: judged('unsure', 'silence', 'repetition', 'subtitle_credit'),
  checkpoint: Checkpoint,
})

const Progress = z.strictObject({
  kind: z.literal('progress'),
  id,
  processed_seconds: seconds,
  duration_seconds: seconds,
  windows_done: z.int().nonnegative(),
})

const Done = z.strictObject({
  kind: z.literal('done'),
  id,
  duration_seconds: seconds,
  speech_seconds: seconds,
  /** Null when it was to be detected and nobody speaks. */
  language: z.string().nullable(),
  language_probability: probability.nullable(),
  prompt_tokens: z.int().nonnegative(),
  windows: z.int().nonnegative(),
  timings: Timings,
})

const Detected = z.strictObject({
  kind: z.literal('detected'),
  id,
  language: z.string(),
  probability,
  languages: z.array(z.strictObject({ language: z.string(), probability })),
  duration_seconds: seconds,
})

const Failed = z.strictObject({
  kind: z.literal('failed'),
  id,
  code: z.enum(['invalid_audio', 'invalid_language', 'out_of_memory', 'internal']),
  message: z.string(),
})

const Cancelled = z.strictObject({ kind: z.literal('cancelled'), id })

const Pong = z.strictObject({
  kind: z.literal('pong'),
  id,
  turns: z.int().nonnegative(),
  is_working: z.boolean(),
  steps: z.int().nonnegative(),
  /** Slots in use, summed over the steps. */
  rows: z.int().nonnegative(),
  requests: z.int().nonnegative(),
  windows_waiting: z.int().nonnegative(),
  /** Bytes. */
  gpu_memory: z.strictObject({ reserved: z.int().nonnegative(), total: z.int().positive() }).nullable(),
})

/** What the child may say about one request; all but the first three are final and come exactly once. */
const Answer = z.discriminatedUnion('kind', [
  Delta,
  Window,
  Progress,
  Done,
  Detected,
  Failed,
  Cancelled,
  Pong,
])
export type Answer = z.infer<typeof Answer>

/** Everything the child may say. */
export const WorkerMessage = z.discriminatedUnion('kind', [Hello, Loading, Ready, Fatal, ...Answer.options])
export type WorkerMessage = z.infer<typeof WorkerMessage>

export type LoadingMessage = z.infer<typeof Loading>
export type ReadyMessage = z.infer<typeof Ready>
export type FatalMessage = z.infer<typeof Fatal>
export type DeltaMessage = z.infer<typeof Delta>
export type WindowMessage = z.infer<typeof Window>
export type DoneMessage = z.infer<typeof Done>
export type DetectedMessage = z.infer<typeof Detected>
export type FailedMessage = z.infer<typeof Failed>
export type PongMessage = z.infer<typeof Pong>
export type Checkpoint = z.infer<typeof Checkpoint>

/** The file of samples that a request is about, and how much of it can be read so far. */
const pcm = { pcm_path: z.string(), pcm_samples: z.int().nonnegative(), pcm_is_complete: z.boolean() }

const within = ({ least, most }: { least: number; most: number }) => z.number().min(least).max(most)

/** Null: as the speech detector has it. */
export const SpeechDetection = z.strictObject({
  threshold: within(RANGES.threshold).nullable(),
  padding_ms: within(RANGES.paddingMs).nullable(),
  silence_ms: within(RANGES.silenceMs).nullable(),
  max_speech_seconds: within(RANGES.maxSpeechSeconds).nullable(),
})

/** Everything we may say to the child. */
export const WorkerRequest = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('transcribe'),
    id,
    ...pcm,
    language: z.string().nullable(),
    languages: z.array(z.string()).min(1).nullable(),
    task: z.enum(['transcribe', 'translate']),
    prompt: z.string().nullable(),
    keywords: z.array(z.string()),
    temperature: z.number().min(0).max(1),
    word_timestamps: z.boolean(),
    logprobs: z.boolean(),
    deltas: z.boolean(),
    guards: z.boolean(),
    vad: SpeechDetection.nullable(),
    /** How far another child has come with it. */
    resume: Checkpoint.nullable(),
  }),
  z.strictObject({ kind: z.literal('detect_language'), id, ...pcm }),
  z.strictObject({
    kind: z.literal('pcm'),
    id,
    samples: z.int().nonnegative(),
    is_complete: z.boolean(),
  }),
  z.strictObject({ kind: z.literal('cancel'), id }),
  z.strictObject({ kind: z.literal('ping'), id }),
  z.strictObject({ kind: z.literal('shutdown') }),
])
export type WorkerRequest = z.infer<typeof WorkerRequest>

/** A request that is owed an answer, before it has its id. */
export type Question =
  | Omit<Extract<WorkerRequest, { kind: 'transcribe' }>, 'id'>
  | Omit<Extract<WorkerRequest, { kind: 'detect_language' }>, 'id'>
