/**
 * The environment becomes one frozen Config, read once. The only reader of process.env;
 * what the settings mean to the parts is decided by the parts.
 */
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { ApiKeys, readApiKeys } from './api-keys.ts'
import { contradictionsIn, ENGINE_SETTINGS, type EngineConfig, engineConfigOf } from './engine-settings.ts'
import { OVERLOAD_SETTINGS } from './overload-settings.ts'
import { JOB_SETTINGS, type JobConfig, jobConfigOf } from './job-settings.ts'
import { MODEL_SETTINGS, type ModelConfig, modelConfigOf, modelSettingsOf } from './model-settings.ts'
import { listOf, wholeNumber } from './setting-types.ts'
import { problemOf, withSecretFiles } from './secret-files.ts'
import { SHUTDOWN_SETTINGS } from './shutdown-settings.ts'
import { TRACING_SETTINGS } from './tracing-settings.ts'
import { sizedModel } from './worker-settings.ts'

const GIB = 1024 ** 3

/** Each setting: how it is parsed, what it defaults to, and what the README says of it. */
const SETTINGS = {
  ...MODEL_SETTINGS,
  HOST: { schema: z.string().min(1), fallback: '0.0.0.0', about: 'Address to listen on' },
  PORT: {
    schema: wholeNumber(0, 65_535),
    fallback: '8000',
    about: 'Port to listen on; 0 takes any free one',
  },
  ...ENGINE_SETTINGS,
  GUARDS: {
    schema: z.enum(['on', 'off']),
    fallback: 'on',
    about:
      'Whether loops and inventions are removed from what the model says, unless a request decides: on or off',
  },
  JOIN_RETRIES: {
    schema: z.enum(['on', 'off']),
    fallback: 'on',
    about:
      'Whether the same upload of the same client joins work that is running or has just finished: on or off',
  },
  DEFAULT_LANGUAGE: {
    schema: z.string().regex(/^([a-z]{2,3}|auto)$/, 'an ISO code such as da, or auto'),
    fallback: 'da',
    about: 'Language when a request names none; auto detects it',
  },
  DATA_DIR: {
    schema: z.string().min(1),
    fallback: 'data',
    about: 'Directory for uploads and decoded audio while they are needed',
  },
  FFMPEG_PATH: {
    schema: z.string(),
    fallback: '',
    about: 'An ffmpeg to use instead of the one that is found',
  },
  PYTHON_PATH: {
    schema: z.string().min(1),
    fallback: '.venv/bin/python',
    about: 'The Python that runs the model',
  },
  LOG_LEVEL: {
    schema: z.enum(['debug', 'info', 'warn', 'error', 'silent']),
    fallback: 'info',
    about: 'debug, info, warn, error or silent',
  },
  API_KEYS: {
    schema: z.string(),
    fallback: '',
    about: 'Keys that clients must show, separated by commas or spaces; empty lets everybody in',
  },
  API_KEYS_FILE: {
    schema: z.string(),
    fallback: '',
    about: 'A file with such keys, one a line, # for comments; read at the start',
  },
  CORS_ORIGINS: {
    schema: z.string(),
    fallback: '',
    about: 'Comma-separated origins whose web pages may call us; * for all; empty for none',
  },
  MAX_UPLOAD_BYTES: {
    schema: wholeNumber(1, Number.MAX_SAFE_INTEGER),
    fallback: String(10 * GIB),
    about: 'Largest request body in bytes (10 GiB)',
  },
  MAX_AUDIO_SECONDS: {
    schema: wholeNumber(1, 31 * 86_400),
    fallback: String(86_400),
    about: 'Longest recording in seconds (24 hours)',
  },
  MAX_CONCURRENT_TRANSCRIPTIONS: {
    schema: wholeNumber(1, 1024),
    fallback: '16',
    about: 'Recordings in the engine at once; the others wait in order',
  },
  EARLY_HEADERS_AFTER_SECONDS: {
    schema: wholeNumber(0, 86_400),
    fallback: '50',
    about: 'An answer not there by then sends its headers, and then signs of life; 0 never does',
  },
  MAX_QUEUE_SIZE: {
    schema: wholeNumber(0, 100_000),
    fallback: '256',
    about: 'How many recordings may wait; the next one gets a 503 that says when to come back',
  },
  ...OVERLOAD_SETTINGS,
  ...JOB_SETTINGS,
  ...SHUTDOWN_SETTINGS,
  METRICS: {
    schema: z.enum(['key', 'open', 'off']),
    fallback: 'key',
    about: 'Who may read GET /metrics: key (whoever has an API key), open (everybody) or off (nobody)',
  },
  DISK_RESERVE_BYTES: {
    schema: wholeNumber(0, Number.MAX_SAFE_INTEGER),
    fallback: String(GIB),
    about:
      'What uploads leave free on the disk of DATA_DIR (1 GiB); one that does not fit gets a 507; 0 never asks',
  },
  ...TRACING_SETTINGS,
} as const

type SettingName = keyof typeof SETTINGS
export type MetricsAccess = Value<'METRICS'>

export interface Config extends EngineConfig, JobConfig, ModelConfig {
  readonly host: string
  readonly port: number
  /** For requests that do not decide it. */
  readonly hasGuards: boolean
  readonly joinsRetries: boolean
  /** ISO code, or `auto`. */
  readonly defaultLanguage: string
  readonly dataDir: string
  /** Undefined: look for one. */
  readonly ffmpegPath: string | undefined
  readonly pythonPath: string
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** Hashes of the keys: a configuration may be printed. */
  readonly apiKeys: ApiKeys
  readonly corsOrigins: readonly string[]
  readonly maxUploadBytes: number
  readonly maxAudioSeconds: number
  readonly maxConcurrentTranscriptions: number
  /** 0 is never. */
  readonly earlyHeadersAfterSeconds: number
  readonly maxQueueSize: number
  readonly failsFastWhenBusy: boolean
  /** Undefined: as many as it should take. */
  readonly busyRetryAfterSeconds: number | undefined
  readonly realtimeReservedSlots: number
  /** Of one client; 0 is any number, here and below. */
  readonly maxRequestsPerMinute: number
  readonly maxRequestsAtOnce: number
  readonly maxAudioSecondsPerDay: number
  /** Of one address. */
  readonly maxFailedKeysPerMinute: number
  /** Addresses and networks. */
  readonly trustedProxies: readonly string[]
  readonly keysFile: string
  readonly metrics: MetricsAccess
  readonly diskReserveBytes: number
  readonly shutdownDelaySeconds: number
  readonly drainSeconds: number
  /** Undefined: requests are not traced. */
  readonly tracesEndpoint: string | undefined
  readonly serviceName: string
}

/** Name, default and meaning of every setting, for the README's table and its test. */
export const SETTINGS_TABLE = Object.entries(SETTINGS).map(([name, { fallback, about }]) => ({
  name,
  fallback,
  about,
}))

type Value<Name extends SettingName> = z.output<(typeof SETTINGS)[Name]['schema']>

/**
 * Reads the settings; an empty variable counts as unset. Relative paths are taken from the working directory.
 *
 * @throws Error naming every setting that is wrong, its value and what is allowed, one a line.
 */
export function readConfig(given: Readonly<Record<string, string | undefined>> = process.env): Config {
  const problems: string[] = []
  const environment = withSecretFiles(given, problems)
  const read = <Name extends SettingName>(name: Name): Value<Name> => {
    const raw = environment[name] || sizedModel(name, environment) || SETTINGS[name].fallback
    const parsed = SETTINGS[name].schema.safeParse(raw)
    if (!parsed.success) problems.push(problemOf(name, raw, parsed.error.issues[0]?.message))
    return parsed.data as Value<Name>
  }
  const config: Config = {
    ...modelConfigOf(read),
    host: read('HOST'),
    port: read('PORT'),
    ...engineConfigOf(read),
    hasGuards: read('GUARDS') === 'on',
    joinsRetries: read('JOIN_RETRIES') === 'on',
    defaultLanguage: read('DEFAULT_LANGUAGE'),
    dataDir: resolve(read('DATA_DIR')),
    ffmpegPath: read('FFMPEG_PATH') || undefined,
    pythonPath: resolve(read('PYTHON_PATH')),
    logLevel: read('LOG_LEVEL'),
    apiKeys: keysOf(read('API_KEYS'), read('API_KEYS_FILE'), problems),
    corsOrigins: listOf(read('CORS_ORIGINS')),
    maxUploadBytes: read('MAX_UPLOAD_BYTES'),
    maxAudioSeconds: read('MAX_AUDIO_SECONDS'),
    maxConcurrentTranscriptions: read('MAX_CONCURRENT_TRANSCRIPTIONS'),
    earlyHeadersAfterSeconds: read('EARLY_HEADERS_AFTER_SECONDS'),
    maxQueueSize: read('MAX_QUEUE_SIZE'),
    failsFastWhenBusy: ['on', 'true'].includes(read('FAIL_FAST_WHEN_BUSY')),
    busyRetryAfterSeconds: read('BUSY_RETRY_AFTER_S') || undefined,
    realtimeReservedSlots: read('REALTIME_RESERVED_SLOTS'),
    maxRequestsPerMinute: read('MAX_REQUESTS_PER_MINUTE'),
    maxRequestsAtOnce: read('MAX_REQUESTS_AT_ONCE'),
    maxAudioSecondsPerDay: read('MAX_AUDIO_SECONDS_PER_DAY'),
    maxFailedKeysPerMinute: read('MAX_FAILED_KEYS_PER_MINUTE'),
    trustedProxies: read('TRUSTED_PROXIES'),
    keysFile: keyFilePath(environment),
    metrics: read('METRICS'),
    diskReserveBytes: read('DISK_RESERVE_BYTES'),
    ...jobConfigOf(read),
    shutdownDelaySeconds: read('SHUTDOWN_DELAY_SECONDS'),
    drainSeconds: read('DRAIN_SECONDS'),
    tracesEndpoint: read('OTEL_EXPORTER_OTLP_ENDPOINT') || undefined,
    serviceName: read('OTEL_SERVICE_NAME'),
  }
  problems.push(...contradictionsIn(config))
  if (problems.length > 0) throw new Error(`settings that cannot be used:\n  ${problems.join('\n  ')}`)
  return Object.freeze(config)
}

function keysOf(keys: string, file: string, problems: string[]): ApiKeys {
  try {
    return readApiKeys(keys, file)
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error))
    return new ApiKeys()
  }
}

/** Of the command that makes keys, too: it must not need the other settings to be right. */
export function keyFilePath(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const { KEYS_FILE, DATA_DIR } = environment
  return resolve(KEYS_FILE || join(DATA_DIR || SETTINGS.DATA_DIR.fallback, 'keys.json'))
}

/** Of the command that fetches models. */
export function modelSettings(environment: Readonly<Record<string, string | undefined>> = process.env) {
  return modelSettingsOf(environment, SETTINGS.PYTHON_PATH.fallback)
}
