/**
 * The child's messages in the house's own words: camelCase, units in the names, failures from the table.
 * The only place that knows both languages.
 */
import { Failure } from '../failure.ts'
import type { DetectedLanguage, JudgedText, Segment, SpeechDetection } from '../transcript.ts'
import type { EngineDone, EngineRequest, PcmExtent, PcmSource } from './events.ts'
import {
  type Checkpoint,
  type DetectedMessage,
  type DoneMessage,
  type FailedMessage,
  type PongMessage,
  type Question,
  type ReadyMessage,
  type WindowMessage,
  SpeechDetection as WireSpeechDetection,
} from './protocol.ts'
import type { EngineFacts, EnginePulse } from './state.ts'

type WireSegment = WindowMessage['segments'][number]

/** `resume` is what the last window said that is done; null when none is. */
export function toQuestion(request: EngineRequest, resume: Checkpoint | null = null): Question {
  return {
    kind: 'transcribe',
    ...toWirePcm(request.pcm),
    language: request.language ?? null,
    languages: toWireCandidates(request),
    task: request.task,
    prompt: request.prompt ?? null,
    keywords: [...(request.keywords ?? [])],
    temperature: request.temperature,
    word_timestamps: request.wantsWords,
    logprobs: request.wantsLogprobs,
    deltas: request.wantsDeltas,
    guards: request.wantsGuards,
    vad: request.speechDetection === undefined ? null : toWireDetection(request.speechDetection),
    resume,
  }
}

/** Candidates are for detection alone; none at all leaves it every language. */
function toWireCandidates({ language, candidateLanguages = [] }: EngineRequest): string[] | null {
  return language === undefined && candidateLanguages.length > 0 ? [...candidateLanguages] : null
}

/** Parsed, because a number that is out of its range would end the child, and everybody's requests with it. */
function toWireDetection({ threshold, paddingMs, silenceMs, maxSpeechSeconds }: SpeechDetection) {
  return WireSpeechDetection.parse({
    threshold: threshold ?? null,
    padding_ms: paddingMs ?? null,
    silence_ms: silenceMs ?? null,
    max_speech_seconds: maxSpeechSeconds ?? null,
  })
}

export function toDetectQuestion(pcm: PcmSource): Question {
  return { kind: 'detect_language', ...toWirePcm(pcm) }
}

function toWirePcm({ path, extent }: PcmSource) {
  return { pcm_path: path, pcm_samples: extent.samples, pcm_is_complete: extent.isComplete }
}

/** What the child has been told of the samples when it is asked this. */
export function toldExtent({ pcm_samples: samples, pcm_is_complete: isComplete }: Question): PcmExtent {
  return { samples, isComplete }
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
    slots: ready.slots,
    repairs: ready.repairs,
    reasons: ready.reasons,
    versions: ready.versions,
    readyAtUnixSeconds,
  }
}

export function toPulse({ steps, rows, windows_waiting, gpu_memory }: PongMessage): EnginePulse {
  return {
    steps,
    slotSteps: rows,
    windowsWaiting: windows_waiting,
    ...(gpu_memory !== null && { gpu: { reservedBytes: gpu_memory.reserved, totalBytes: gpu_memory.total } }),
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
    ...(segment.logprobs === null ? {} : { logprobs: segment.logprobs }),
  }
}

function toWord({ word, start, end, probability }: NonNullable<WireSegment['words']>[number]) {
  return { word, startSeconds: start, endSeconds: end, probability }
}

export function toDone(done: DoneMessage, judged: Pick<EngineDone, 'dropped' | 'warnings'>): EngineDone {
  return {
    kind: 'done',
    ...(done.language === null ? {} : { language: done.language }),
    ...(done.language_probability === null ? {} : { languageProbability: done.language_probability }),
    durationSeconds: done.duration_seconds,
    promptTokens: done.prompt_tokens,
    speechSeconds: done.speech_seconds,
    windows: done.windows,
    ...judged,
    timings: {
      waitedSeconds: done.timings.waited_seconds,
      vadSeconds: done.timings.vad_seconds,
      encodeSeconds: done.timings.encode_seconds,
      decodeSeconds: done.timings.decode_seconds,
    },
  }
}

export function toJudged({
  reason,
  start,
  end,
  text,
}: WindowMessage['dropped' | 'warnings'][number]): JudgedText {
  return { reason, startSeconds: start, endSeconds: end, text }
}

/** `duration_seconds` is left behind: the recording may have been growing, and then it is not its length. */
export function toDetectedLanguage({ language, probability, languages }: DetectedMessage): DetectedLanguage {
  return { language, probability, languages }
}

/** The child's messages about a client's mistake are written for the client; those about its own trouble are for us. */
export function toFailure({ code, message }: FailedMessage, question: Question): Failure {
  const cause = new Error(`the child reported ${code}: ${message}`)
  switch (code) {
    case 'invalid_audio':
      return new Failure(message.includes('shorter than') ? 'audio_too_short' : 'invalid_audio', message, {
        param: 'file',
        cause,
      })
    case 'invalid_language':
      return new Failure('invalid_language', message, { param: languageParam(question), cause })
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

/** Which of its two fields named a language that the model does not know. */
function languageParam(question: Question): 'language' | 'languages' {
  return question.kind === 'transcribe' && question.languages !== null ? 'languages' : 'language'
}
