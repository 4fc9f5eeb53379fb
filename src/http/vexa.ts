/** Whether a request comes from Vexa: its clients read other names and fields in the answer than OpenAI's do. */
import type { Fields } from '../upload/receive.ts'
import { isFilled } from './form.ts'

/** What no SDK of OpenAI's sends: the bare name of a list, and Vexa's own fields. */
const THEIR_FIELDS = [
  'timestamp_granularities',
  'transcription_tier',
  'max_speech_duration_s',
  'min_silence_duration_ms',
]

/** Empty fields count as absent here, too. @param tierHeader its older clients send `X-Transcription-Tier`. */
export function isVexaShaped(fields: Fields, tierHeader = ''): boolean {
  const isSent = (name: string) => (fields.get(name) ?? []).some(isFilled)
  return isFilled(tierHeader) || THEIR_FIELDS.some(isSent)
}
