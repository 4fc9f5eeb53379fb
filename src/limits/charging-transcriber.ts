/** The road, with the seconds of audio taken from whose account they are. What that leads to is decided by the limits. */
import { Failure } from '../failure.ts'
import type { AudioSource, TranscribeOptions, Transcriber } from '../transcriber.ts'
import type { TranscriptEvent } from '../transcript.ts'
import type { ClientLimits } from './client-limits.ts'

/** A language is found in one window, and that is what it costs. */
const LANGUAGE_SECONDS = 30

type Charging = Pick<ClientLimits, 'charge'>

/** Below the joining: whoever joins work that somebody has begun pays nothing, as nothing more is computed. */
export function createChargingTranscriber(transcriber: Transcriber, limits: Charging): Transcriber {
  return {
    transcribe: (source, options, signal) =>
      source.account === undefined
        ? transcriber.transcribe(source, options, signal)
        : charged({ transcriber, limits, account: source.account }, source, options, signal),
    detectLanguage: async (source, signal) => {
      const detected = await transcriber.detectLanguage(source, signal)
      const seconds = Math.min(detected.durationSeconds ?? LANGUAGE_SECONDS, LANGUAGE_SECONDS)
      if (source.account !== undefined) await limits.charge(source.account, seconds)
      return detected
    },
  }
}

interface Charged {
  readonly transcriber: Transcriber
  readonly limits: Charging
  readonly account: string
}

/**
 * Its length as soon as it is known, so that ten at once do not all find the day untouched; in the end what was heard. Work that
 * is parked costs nothing, as any that we do not finish; so when it is resumed it costs its whole length, and that once.
 */
async function* charged(
  { transcriber, limits, account }: Charged,
  source: AudioSource,
  options: TranscribeOptions,
  signal: AbortSignal,
): AsyncGenerator<TranscriptEvent, void, undefined> {
  let heardSeconds = 0
  let takenSeconds = 0
  try {
    for await (const event of transcriber.transcribe(source, options, signal)) {
      if (event.kind === 'progress') heardSeconds = event.processedSeconds
      if (event.kind === 'done') heardSeconds = event.transcript.durationSeconds
      if (event.kind === 'decoded') {
        takenSeconds = event.durationSeconds
        await limits.charge(account, takenSeconds)
      }
      yield event
    }
  } catch (error) {
    if (isOurs(error)) heardSeconds = 0
    throw error
  } finally {
    await limits.charge(account, heardSeconds - takenSeconds)
  }
}

/** Nobody pays for what we could not do. */
function isOurs(error: unknown): boolean {
  return !(error instanceof Failure) || error.status >= 500
}
