/**
 * The settings that say what one of several servers is called and what it computes with, in the words of the services that
 * people come from: rows of config.ts's table.
 */
import { z } from 'zod'
import { wholeNumber } from './setting-types.ts'

/** OpenAI's checkpoints by the names that their own program gives them; two of them are names of others. */
const SIZE = /^((tiny|base|small|medium)(\.en)?|large(-v[123]|-v3-turbo)?|turbo)$/
const SAME_SIZE: Readonly<Record<string, string>> = { large: 'large-v3', turbo: 'large-v3-turbo' }

export const WORKER_SETTINGS = {
  WORKER_ID: {
    schema: z.union(
      [z.literal(''), z.string().regex(/^[\w.:-]{1,64}$/)],
      'up to 64 letters, digits and ._:-',
    ),
    fallback: '',
    about:
      "What this server is called in `/lb-status` and `/health`; empty: the machine's name, and no word of it in `/health`",
  },
  MODEL_SIZE: {
    schema: z.union(
      [z.literal(''), z.string().regex(SIZE)],
      'a size of Whisper such as large-v3-turbo; anything else goes into MODEL',
    ),
    fallback: '',
    about: "OpenAI's Whisper of that size (tiny … large-v3-turbo) as the model, when `MODEL` is not set",
  },
  CPU_THREADS: {
    schema: wholeNumber(0, 1024),
    fallback: '0',
    about:
      'Threads of arithmetic on a CPU, for models that have work for more than one; 0: one for each core',
  },
} as const

export interface WorkerConfig {
  /** Undefined: nobody has given it a name. */
  readonly workerId: string | undefined
  /** 0: as many as there are cores. */
  readonly cpuThreads: number
}

type Settings = typeof WORKER_SETTINGS
type Read = <Name extends keyof Settings>(name: Name) => z.output<Settings[Name]['schema']>

export function workerConfigOf(read: Read): WorkerConfig {
  read('MODEL_SIZE') // only to refuse what is no size: sizedModel makes a model of it
  return { workerId: read('WORKER_ID') || undefined, cpuThreads: read('CPU_THREADS') }
}

type Environment = Readonly<Record<string, string | undefined>>

/** What MODEL is when it is not set, and a size is. Undefined: the usual one; and for every other setting. */
export function sizedModel(setting: string, { MODEL_SIZE: size }: Environment): string | undefined {
  return setting === 'MODEL' && size ? `openai/whisper-${SAME_SIZE[size] ?? size}` : undefined
}
