/** How the server under test is set, and how long anybody may wait for it. */

export const PLACES = 4
export const KEY = 'sk-chaos-0f3b9c5e7a'
/** Small, so that everything is full soon. */
export const SETTINGS = {
  API_KEYS: `sk-chaos-of-nobody ${KEY}`,
  MAX_CONCURRENT_TRANSCRIPTIONS: String(PLACES),
  MAX_QUEUE_SIZE: '8',
  MAX_UPLOAD_BYTES: String(20_000_000),
  MAX_AUDIO_SECONDS: '3600',
  DISK_RESERVE_BYTES: String(1_000_000),
  EARLY_HEADERS_AFTER_SECONDS: '3',
  MAX_FAILED_KEYS_PER_MINUTE: '0',
  LOG_LEVEL: 'debug',
  METRICS: 'open',
}
/** A frozen child is noticed after half a minute; then come a new one, and everybody's turns. */
export const DEADLINE_MS = 240_000
export const LOOK_DEADLINE_MS = 30_000
