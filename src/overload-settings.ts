/** The settings that say who may have how much, and who comes first when there is not enough: rows of config.ts's table. */
import { z } from 'zod'
import { isNetwork } from './networks.ts'
import { listOf, wholeNumber } from './setting-types.ts'

export const OVERLOAD_SETTINGS = {
  FAIL_FAST_WHEN_BUSY: {
    schema: z.enum(['on', 'off', 'true', 'false']),
    fallback: 'off',
    about: 'on: no recording waits, whatever MAX_QUEUE_SIZE says; without a free place it gets a 503 at once',
  },
  BUSY_RETRY_AFTER_S: {
    schema: z.union([z.literal(''), wholeNumber(1, 60)], 'a whole number from 1 to 60, or nothing'),
    fallback: '',
    about: 'Seconds that the 503 of a full server names; empty: as many as it should take',
  },
  REALTIME_RESERVED_SLOTS: {
    schema: wholeNumber(0, 1024),
    fallback: '1',
    about:
      'Places that requests with `transcription_tier=deferred` leave free; they always keep one themselves',
  },
  MAX_REQUESTS_PER_MINUTE: {
    schema: wholeNumber(0, 1_000_000),
    fallback: '0',
    about:
      'Recordings that one client (a key, or an address where none is needed) may send in a minute; 0: any',
  },
  MAX_REQUESTS_AT_ONCE: {
    schema: wholeNumber(0, 100_000),
    fallback: '0',
    about: 'Recordings of one client that may be sent, wait or be worked on at the same time; 0: any',
  },
  MAX_AUDIO_SECONDS_PER_DAY: {
    schema: wholeNumber(0, 1_000_000_000),
    fallback: '0',
    about: 'Seconds of audio that one client may have transcribed in 24 hours; 0: any',
  },
  MAX_FAILED_KEYS_PER_MINUTE: {
    schema: wholeNumber(0, 1_000_000),
    fallback: '30',
    about:
      'Keys that are not good, from one address, after which it gets a 429 for the rest of a minute; 0: any',
  },
  TRUSTED_PROXIES: {
    schema: z
      .string()
      .transform(listOf)
      .refine((list) => list.every(isNetwork), 'addresses or networks such as 10.0.0.0/8, with commas'),
    fallback: '',
    about: 'Comma-separated addresses or networks of proxies whose `X-Forwarded-For` is believed',
  },
  KEYS_FILE: {
    schema: z.string(),
    fallback: '',
    about: 'Where `npm run keys` keeps the keys that it makes; empty: keys.json in DATA_DIR',
  },
} as const
