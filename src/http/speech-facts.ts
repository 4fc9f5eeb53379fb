/**
 * What an operator wants to know of the work behind a request, for its line in the log: figures, never what was said.
 * Whoever joined others' work has no times of its own, only the recording's length.
 */
import type { RoadObserver, RoadTask } from '../road-observer.ts'
import type { TranscriptEvent } from '../transcript.ts'

export interface SpeechFacts {
  task?: RoadTask
  isStreamed?: boolean
  audioSeconds?: number
  /** In both queues together. */
  queueSeconds?: number
  decodeSeconds?: number
  engineSeconds?: number
}

export function noteRoad(facts: SpeechFacts): RoadObserver {
  return {
    waited: (_queue, seconds) => (facts.queueSeconds = (facts.queueSeconds ?? 0) + seconds),
    decoded: (seconds) => (facts.decodeSeconds = seconds),
    heard: () => {},
    worked: (_task, seconds) => (facts.engineSeconds = seconds),
    done: () => {},
  }
}

/** The same events; what they say of the recording's length is noted. */
export async function* noteLength(
  facts: SpeechFacts,
  events: AsyncIterable<TranscriptEvent>,
): AsyncGenerator<TranscriptEvent, void, undefined> {
  for await (const event of events) {
    if (event.kind === 'decoded') facts.audioSeconds = event.durationSeconds
    if (event.kind === 'done') facts.audioSeconds = event.transcript.durationSeconds
    yield event
  }
}

/** For the log: what is not known is undefined, and is not written. */
export function speechLine({ task, isStreamed, ...figures }: SpeechFacts) {
  const { audioSeconds, queueSeconds, decodeSeconds, engineSeconds } = figures
  const isMeasured = audioSeconds !== undefined && audioSeconds > 0 && engineSeconds !== undefined
  return {
    task,
    streamed: isStreamed,
    audioSeconds: rounded(audioSeconds),
    queueSeconds: rounded(queueSeconds),
    decodeSeconds: rounded(decodeSeconds),
    engineSeconds: rounded(engineSeconds),
    rtf: isMeasured ? rounded(engineSeconds / audioSeconds) : undefined,
  }
}

function rounded(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value * 1000) / 1000
}
