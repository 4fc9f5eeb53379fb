/** What the fields of a request for speech mean: what the engine is asked, and how its answer is told. */
import type { z } from '@hono/zod-openapi'
import type { Config } from '../config.ts'
import type { EngineState } from '../engine/state.ts'
import { Failure } from '../failure.ts'
import type { TranscribeOptions } from '../transcriber.ts'
import type { SpeechDetection, Task } from '../transcript.ts'
import type { Wish } from './answer.ts'
import { chosenLanguage } from './language.ts'
import { requireModel } from './model-names.ts'
import type { Parts } from './parts.ts'
import type { TranscriptionFields, TranslationFields } from './schemas.ts'

/** Speech in a window: 30 s without the air around it (PROTOCOL.md, `vad`). Nothing longer comes out, so a longer limit is kept. */
const HEARD_AT_ONCE_SECONDS = 29

/** What both kinds of requests hold, and what one of them may hold besides. */
type Form = z.output<typeof TranslationFields> &
  Partial<Pick<z.output<typeof TranscriptionFields>, 'max_speech_duration_s' | 'min_silence_duration_ms'>>

interface Kind {
  readonly task: Task
  /** Word times were asked for. */
  readonly hasWords: boolean
  readonly isForVexa: boolean
}

/** @throws Failure for a model that is not loaded, a language that is none, a translation that the model cannot make. */
export function wishOf(form: Form, parts: Pick<Parts, 'config' | 'engineState'>, kind: Kind): Wish {
  const model = form.model === undefined ? undefined : requireModel(form.model, parts.config)
  if (kind.task === 'translate') requireTranslator(parts.engineState())
  return {
    options: optionsOf(form, parts.config, kind),
    format: form.response_format,
    rendering: {
      hasWords: kind.hasWords && kind.task !== 'translate',
      isForVexa: kind.isForVexa,
      hasLogprobs: wantsLogprobs(form),
      // OpenAI's model of that name always lists them.
      listsLanguages: form.languages !== undefined || model === 'gpt-transcribe',
    },
    isStreamed: form.stream,
  }
}

function optionsOf(form: Form, config: Config, { task }: Kind): TranscribeOptions {
  const detection = speechDetectionOf(form)
  // Words make good subtitles and exact segment times; what shows neither is spared the alignment. A translation's
  // words stand in another order than those that were spoken: they have no times.
  const showsTimes = !form.stream && form.response_format !== 'json' && form.response_format !== 'text'
  return {
    task,
    ...chosenLanguage(form, config.defaultLanguage),
    ...(form.prompt !== undefined && { prompt: form.prompt }),
    ...(form.keywords !== undefined && { keywords: form.keywords }),
    ...(detection && { speechDetection: detection }),
    temperature: form.temperature,
    wantsWords: showsTimes && task !== 'translate',
    wantsLogprobs: wantsLogprobs(form),
    wantsDeltas: form.stream,
    wantsGuards: form.guards ?? config.hasGuards,
  }
}

/** Only where they are told: the other formats have no place for them. */
function wantsLogprobs({ include, response_format, stream }: Form): boolean {
  return include.includes('logprobs') && (stream || response_format === 'json')
}

/** Undefined when the request leaves everything to the speech detector. OpenAI's field wins over Vexa's. */
function speechDetectionOf(form: Form): SpeechDetection | undefined {
  const { type, ...chosen } = form.chunking_strategy ?? { type: 'auto' as const }
  const vad = type === 'auto' ? {} : chosen
  const silenceMs = vad.silence_duration_ms ?? form.min_silence_duration_ms
  const longest = form.max_speech_duration_s
  const detection: SpeechDetection = {
    ...(vad.threshold !== undefined && { threshold: vad.threshold }),
    ...(vad.prefix_padding_ms !== undefined && { paddingMs: vad.prefix_padding_ms }),
    ...(silenceMs !== undefined && { silenceMs }),
    ...(longest !== undefined && { maxSpeechSeconds: Math.min(longest, HEARD_AT_ONCE_SECONDS) }),
  }
  return Object.keys(detection).length > 0 ? detection : undefined
}

/** An English-only model would write down what it hears and call that a translation. While it loads, nobody knows which it is. */
function requireTranslator(state: EngineState): void {
  if (state.phase === 'loading') {
    const { readyInSeconds } = state
    throw new Failure(
      'engine_loading',
      'The model is still being loaded, and whether it can translate is not known before. Please try again later.',
      readyInSeconds === undefined ? {} : { retryAfterSeconds: readyInSeconds },
    )
  }
  if (state.phase !== 'ready' || state.facts.canTranslate) return
  throw new Failure(
    'translation_unsupported',
    'The loaded model knows English only and cannot translate; POST /v1/audio/transcriptions writes down what is said.',
    { param: 'model' },
  )
}
