/** The settings that say which model: rows of config.ts's table. */
import { resolve } from 'node:path'
import { z } from 'zod'
import { listOf } from './setting-types.ts'
import { sizedModel } from './worker-settings.ts'

export const MODEL_SETTINGS = {
  MODEL: {
    schema: z.string().min(1),
    fallback: 'syvai/hviske-v2',
    about: 'Hub id or local directory of a Whisper model',
  },
  MODEL_REVISION: {
    schema: z.string().regex(/^([A-Za-z0-9](?!.*\.\.)[\w./-]*)?$/, 'a commit, a branch or a tag'),
    fallback: '',
    about:
      'Commit, branch or tag of a Hub model; empty: the one that was pulled first, which never changes by itself',
  },
  MODEL_ALIASES: {
    schema: z.string(),
    fallback: '',
    about: 'Comma-separated names that the model also answers to, beside the usual ones',
  },
} as const

export interface ModelConfig {
  readonly model: string
  /** Undefined: the one that is pinned beside the model. */
  readonly modelRevision: string | undefined
  /** Beside the names that it has by itself. */
  readonly modelAliases: readonly string[]
}

type Settings = typeof MODEL_SETTINGS
type Read = <Name extends keyof Settings>(name: Name) => z.output<Settings[Name]['schema']>

export function modelConfigOf(read: Read): ModelConfig {
  return {
    model: read('MODEL'),
    modelRevision: read('MODEL_REVISION') || undefined,
    modelAliases: listOf(read('MODEL_ALIASES')),
  }
}

type Environment = Readonly<Record<string, string | undefined>>

/** Of the command that fetches models: it must not need the other settings to be right. */
export function modelSettingsOf(environment: Environment, pythonFallback: string) {
  const { MODEL, MODEL_REVISION, PYTHON_PATH } = environment
  return {
    model: MODEL || sizedModel('MODEL', environment) || MODEL_SETTINGS.MODEL.fallback,
    revision: MODEL_REVISION || undefined,
    pythonPath: resolve(PYTHON_PATH || pythonFallback),
    /** As it was given, by .env or by whoever started us. */
    givenModel: MODEL || undefined,
  }
}
