/** Which names the one loaded model answers to. */
import { basename, isAbsolute } from 'node:path'
import type { Config } from '../config.ts'
import { Failure } from '../failure.ts'
import { shown } from './form.ts'

/**
 * What clients call a speech model without having asked which there is: OpenAI's ids (SDK examples, Vexa, n8n), and
 * what self-hosted servers taught people to write.
 */
const ALIASES = [
  'whisper-1',
  'gpt-transcribe',
  'gpt-4o-transcribe',
  'gpt-4o-mini-transcribe',
  'gpt-4o-mini-transcribe-2025-12-15',
  'gpt-4o-transcribe-diarize',
  'gpt-live-transcribe',
  'gpt-realtime-whisper',
  'default',
  'large-v3',
  'large-v3-turbo',
  'whisper-large-v3',
  'whisper-large-v3-turbo',
  'openai/whisper-large-v3',
  'Systran/faster-whisper-large-v3',
] as const

type Named = Pick<Config, 'model' | 'modelAliases'>

/** A Hub id as it is; of a directory only its own name: where it lies on our disk is nobody's business. */
export function modelName({ model }: Pick<Config, 'model'>): string {
  return isAbsolute(model) || model.startsWith('.') ? basename(model) : model
}

/** The model by its full name first, then whatever else it answers to; no name twice. */
export function modelNames({ model, modelAliases }: Named): string[] {
  return [...new Set([modelName({ model }), basename(model), ...modelAliases, ...ALIASES])]
}

/**
 * The name as we list it; case does not matter.
 *
 * @throws Failure model_not_found for a name that means another model.
 */
export function requireModel(name: string, config: Named): string {
  const wanted = name.trim().toLowerCase()
  const found = modelNames(config).find((known) => known.toLowerCase() === wanted)
  if (found !== undefined) return found
  const loaded = `The loaded model is "${modelName(config)}"; it also answers to "whisper-1" and to no name at all.`
  throw new Failure('model_not_found', `The model ${shown(name)} is not loaded here. ${loaded}`, {
    param: 'model',
  })
}
