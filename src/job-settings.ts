/** The settings of jobs, of what is fetched for them and of what follows them: rows of config.ts's table, and what becomes of them. */
import { z } from 'zod'
import { isNetwork } from './networks.ts'
import { isYes, listOf, wholeNumber, yesOrNo } from './setting-types.ts'
import { WORKER_SETTINGS, type WorkerConfig, workerConfigOf } from './worker-settings.ts'

const optional = z.string()
const NETWORKS = 'addresses or networks such as 10.0.0.0/8, with commas'

export const JOB_SETTINGS = {
  CACHE_EXPIRY: {
    schema: wholeNumber(60, 10 * 365 * 86_400),
    fallback: String(7 * 86_400),
    about: 'Seconds that a job and its result are kept after its end (7 days)',
  },
  MAX_JOB_BYTES: {
    schema: wholeNumber(0, Number.MAX_SAFE_INTEGER),
    fallback: '0',
    about:
      'Bytes of recordings and results of jobs that are kept; a job beyond them gets a 507; 0: as many as the disk takes',
  },
  JOBS_AT_ONCE: {
    schema: wholeNumber(1, 1024),
    fallback: '4',
    about: 'Jobs of each of the two queues that are worked on at once',
  },
  ALLOW_URL: {
    schema: yesOrNo,
    fallback: '0',
    about: 'Whether recordings are fetched from URLs that clients name: 1 or 0. Only from public addresses',
  },
  URL_ALLOWED_NETWORKS: {
    schema: z
      .string()
      .transform(listOf)
      .refine((list) => list.every(isNetwork), NETWORKS),
    fallback: '',
    about:
      'Comma-separated private addresses or networks that may be fetched from and told of jobs all the same',
  },
  URL_FETCH_SECONDS: {
    schema: wholeNumber(1, 86_400),
    fallback: '3600',
    about: 'How long fetching one recording may take',
  },
  UPLOAD_EXPIRY: {
    schema: wholeNumber(60, 30 * 86_400),
    fallback: '86400',
    about: 'Seconds that an upload in pieces is kept after its last byte (a day)',
  },
  AWS_ACCESS_KEY_ID: {
    schema: optional,
    fallback: '',
    about: 'Of the S3 store for `s3_path` and `s3://` URLs',
  },
  AWS_SECRET_ACCESS_KEY: { schema: optional, fallback: '', about: 'The secret that belongs to it' },
  S3_STORAGE_BUCKET: { schema: optional, fallback: '', about: 'The bucket there' },
  S3_ENDPOINT_URL: { schema: optional, fallback: '', about: "The store's address, where it is not Amazon's" },
  AWS_REGION: { schema: optional, fallback: '', about: "The store's region" },
  JOB_STORAGE: {
    schema: z.enum(['disk', 's3']),
    fallback: 'disk',
    about: 'Where recordings and results of jobs lie: disk (DATA_DIR), or s3 (the bucket above)',
  },
  WEBHOOK_SECRET: {
    schema: z.literal('').or(z.string().regex(/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/)),
    fallback: '',
    about: 'Signs what `callback_url` is told, `whsec_…` (Standard Webhooks); empty: nobody is told',
  },
  OLLAMA_HOST: {
    schema: optional,
    fallback: '',
    about: 'Address of an Ollama for the steps after a transcript, such as http://127.0.0.1:11434',
  },
  LLM_URL: {
    schema: optional,
    fallback: '',
    about:
      "The same of anything that speaks OpenAI's chat completions, ending in /v1; OLLAMA_HOST goes first",
  },
  LLM_API_KEY: { schema: optional, fallback: '', about: 'Its key' },
  LLM_MODEL: {
    schema: optional,
    fallback: '',
    about: 'The language model there; empty: there are no such steps',
  },
  ROLE: {
    schema: z.enum(['all', 'api', 'worker']),
    fallback: 'all',
    about:
      'all; api: takes requests and leaves the work to workers; worker: works on jobs and takes no requests',
  },
  QUEUE_URL: {
    schema: z.literal('').or(z.string().regex(/^rediss?:\/\/./, 'redis://HOST:PORT or rediss://HOST:PORT')),
    fallback: '',
    about:
      'Redis or Valkey that keeps the jobs of several servers, redis:// or rediss://; empty: a file in DATA_DIR',
  },
  QUEUE_PREFIX: {
    schema: z.string().regex(/^[A-Za-z0-9{][A-Za-z0-9._{}-]*$/, 'letters, digits and ._-{}'),
    fallback: 'hviske',
    about: 'Before the name of every key there; in a cluster in braces, `{hviske}`',
  },
  JOB_LEASE_SECONDS: {
    schema: wholeNumber(2, 3600),
    fallback: '60',
    about:
      'So long a worker may be silent before its jobs are given to another, which goes on after their last windows',
  },
  ...WORKER_SETTINGS,
} as const

export interface JobConfig extends WorkerConfig {
  readonly jobSecondsKept: number
  /** 0: no bound. */
  readonly maxJobBytes: number
  /** Of each queue. */
  readonly jobsAtOnce: number
  readonly allowsUrls: boolean
  readonly urlFetchSeconds: number
  readonly uploadSecondsKept: number
  /** Addresses and networks. */
  readonly urlAllowedNetworks: readonly string[]
  /** Empty where it is not set. */
  readonly s3: {
    readonly accessKeyId: string
    readonly secretAccessKey: string
    readonly bucket: string
    readonly endpointUrl: string
    readonly region: string
  }
  readonly jobStorage: 'disk' | 's3'
  readonly role: 'all' | 'api' | 'worker'
  /** With its password. Undefined: a file. */
  readonly queueUrl: string | undefined
  readonly queuePrefix: string
  readonly jobLeaseSeconds: number
  /** Undefined: nobody is told of the end of a job. */
  readonly webhookSecret: string | undefined
  /** Undefined: nothing follows a transcript. */
  readonly languageModel:
    | {
        readonly dialect: 'ollama' | 'openai'
        readonly url: string
        readonly model: string
        readonly apiKey?: string
        readonly deadlineMs: number
      }
    | undefined
}

type Settings = typeof JOB_SETTINGS
type Read = <Name extends keyof Settings>(name: Name) => z.output<Settings[Name]['schema']>

export function jobConfigOf(read: Read): JobConfig {
  return {
    jobSecondsKept: read('CACHE_EXPIRY'),
    maxJobBytes: read('MAX_JOB_BYTES'),
    jobsAtOnce: read('JOBS_AT_ONCE'),
    allowsUrls: isYes(read('ALLOW_URL')),
    urlFetchSeconds: read('URL_FETCH_SECONDS'),
    uploadSecondsKept: read('UPLOAD_EXPIRY'),
    urlAllowedNetworks: read('URL_ALLOWED_NETWORKS'),
    s3: {
      accessKeyId: read('AWS_ACCESS_KEY_ID'),
      secretAccessKey: read('AWS_SECRET_ACCESS_KEY'),
      bucket: read('S3_STORAGE_BUCKET'),
      endpointUrl: read('S3_ENDPOINT_URL'),
      region: read('AWS_REGION'),
    },
    jobStorage: read('JOB_STORAGE'),
    role: read('ROLE'),
    queueUrl: read('QUEUE_URL') || undefined,
    queuePrefix: read('QUEUE_PREFIX'),
    jobLeaseSeconds: read('JOB_LEASE_SECONDS'),
    webhookSecret: read('WEBHOOK_SECRET') || undefined,
    languageModel: languageModelOf({
      ollama: read('OLLAMA_HOST'),
      openai: read('LLM_URL'),
      model: read('LLM_MODEL'),
      apiKey: read('LLM_API_KEY'),
    }),
    ...workerConfigOf(read),
  }
}

const LANGUAGE_MODEL_MS = 300_000

function languageModelOf(
  settings: Record<'ollama' | 'openai' | 'model' | 'apiKey', string>,
): JobConfig['languageModel'] {
  const { ollama, openai, model, apiKey } = settings
  const url = ollama || openai
  if (url === '' || model === '') return undefined
  const key = apiKey === '' ? {} : { apiKey }
  // Ollama's own variable is often written without a scheme.
  const address = /^https?:\/\//.test(url) ? url : `http://${url}`
  return { dialect: ollama ? 'ollama' : 'openai', url: address, model, ...key, deadlineMs: LANGUAGE_MODEL_MS }
}
