/**
 * The child's messages in the house's own words: camelCase, units in the names, failures from the table.
 * The only place that knows both languages.
 */
import { Failure } from '../failure.ts'
import type { DetectedLanguage, Segment } from '../transcript.ts'
import type { EngineDone, EngineRequest } from './events.ts'
import type {
  DetectedMessage,
  DoneMessage,
  FailedMessage,
  Question,
  ReadyMessage,
  WindowMessage,
} from './protocol.ts'
import type { EngineFacts } from './state.ts'

type WireSegment = WindowMessage['segments'][number]

export function toQuestion(request: EngineRequest): Question {
  return {
    kind: 'transcribe',
    pcm_path: request.pcmPath,
    language: request.language ?? null,
    task: request.task,
    prompt: request.prompt ?? null,
    temperature: request.temperature,
    word_timestamps: request.wantsWords,
  }
}

export function toFacts(ready: ReadyMessage, readyAtUnixSeconds: number): EngineFacts {
  return {
    modelId: ready.model.id,
    revision: ready.model.revision,
    device: ready.device,
    deviceName: ready.device_name,
    computeType: ready.compute_type,
    languages: ready.languages,
    canTranslate: ready.can_translate,
    vad: ready.vad,
    batchWindows: ready.batch_windows,
    repairs: ready.repairs,
    reasons: ready.reasons,
    versions: ready.versions,
    readyAtUnixSeconds,
  }
}

/** Segments are numbered through the whole recording; the child only knows its windows. */
export function toSegments(window: WindowMessage, firstId: number): Segment[] {
  return window.segments.map((segment, index) => toSegment(segment, firstId + index))
}

function toSegment(segment: WireSegment, id: number): Segment {
  return {
    id,
    seek: segment.seek,
    startSeconds: segment.start,
    endSeconds: segment.end,
    text: segment.text,
    tokens: segment.tokens,
    temperature: segment.temperature,
    avgLogprob: segment.avg_logprob,
    compressionRatio: segment.compression_ratio,
    noSpeechProb: segment.no_speech_prob,
    ...(segment.words === null ? {} : { words: segment.words.map(toWord) }),
  }
}

function toWord({ word, start, end, probability }: NonNullable<WireSegment['words']>[number]) {
  return { word, startSeconds: start, endSeconds: end, probability }
}

export function toDone(done: DoneMessage): EngineDone {
  return {
    kind: 'done',
    language: done.language,
    ...(done.language_probability === null ? {} : { languageProbability: done.language_probability }),
    durationSeconds: done.duration_seconds,
    speechSeconds: done.speech_seconds,
    windows: done.windows,
    dropped: done.dropped.map(({ reason, start, end, text }) => ({
      reason,
      startSeconds: start,
      endSeconds: end,
      text,
    })),
    timings: {
      waitedSeconds: done.timings.waited_seconds,
      vadSeconds: done.timings.vad_seconds,
      encodeSeconds: done.timings.encode_seconds,
      decodeSeconds: done.timings.decode_seconds,
    },
  }
}

export function toDetectedLanguage(detected: DetectedMessage): DetectedLanguage {
  const { language, probability, languages, duration_seconds: durationSeconds } = detected
  return { language, probability, languages, durationSeconds }
}

/** The child's messages about a client's mistake are written for the client; those about its own trouble are for us. */
export function toFailure({ code, message }: FailedMessage): Failure {
  const cause = new Error(`the child reported ${code}: ${message}`)
  switch (code) {
    case 'invalid_audio':
      return new Failure(message.includes('shorter than') ? 'audio_too_short' : 'invalid_audio', message, {
        param: 'file',
        cause,
      })
    case 'invalid_language':
      return new Failure('invalid_language', message, { param: 'language', cause })
    case 'out_of_memory':
      return new Failure(
        'engine_failed',
        'The speech engine ran out of memory on this recording. Try again later.',
        { cause },
      )
    case 'internal':
      return new Failure('engine_failed', 'The speech engine could not process this recording.', { cause })
    default:
      return code satisfies never
  }
}
