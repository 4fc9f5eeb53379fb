/** The model's files, what had to be repaired in them, and a real transcription with them. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { type Finding, fail, asSize, ok, reasonOf, warn } from './finding.ts'
import type { Environment, FileSize, World } from './world.ts'

/** What is said in speech.ogg. */
export const SPOKEN = 'Peter rejser til København i januar. Vi mødes ved museet klokken fire.'
const MODEL_FIRST = 'mend what fails above first'

export interface ModelFiles {
  readonly directory: string
  readonly weightBytes: number
}

type Disk = Pick<World, 'filesIn' | 'directoriesIn' | 'readText'>
type Wanted = Pick<Config, 'model' | 'modelRevision'>

// The ref that keeps a model at the commit that was pulled first (python/whisper_worker/hub_cache.py).
const PIN = 'hviske-api'

/** In a directory of its own, or in the cache of the Hub's client. Undefined: not here, or not whole. */
export async function findModel(
  wanted: Wanted,
  environment: Environment,
  disk: Disk,
): Promise<ModelFiles | undefined> {
  const directories = [wanted.model, ...(await snapshots(wanted, environment, disk))]
  for (const directory of directories) {
    const files = (await disk.filesIn(directory)) ?? []
    const weightBytes = weightBytesOf(files)
    if (weightBytes !== undefined && files.some(({ name }) => name === 'config.json'))
      return { directory, weightBytes }
  }
  return undefined
}

/** The one that the server would load, where a ref or a commit says which; otherwise all. */
async function snapshots(
  { model, modelRevision }: Wanted,
  environment: Environment,
  { directoriesIn, readText }: Disk,
): Promise<string[]> {
  const { HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = environment
  const home = HF_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface')
  const kept = join(HF_HUB_CACHE || join(home, 'hub'), `models--${model.replaceAll('/', '--')}`)
  const ref = await readText(join(kept, 'refs', modelRevision ?? PIN)).catch(() => undefined)
  const commit = ref?.trim() ?? modelRevision ?? ''
  const names = (await directoriesIn(join(kept, 'snapshots'))) ?? []
  return names.filter((name) => name.startsWith(commit)).map((name) => join(kept, 'snapshots', name))
}

/** `model-00001-of-00003.safetensors`: only all three are weights. */
function weightBytesOf(files: readonly FileSize[]): number | undefined {
  for (const pattern of [/^model(-\d+-of-(\d+))?\.safetensors$/, /^pytorch_model(-\d+-of-(\d+))?\.bin$/]) {
    const parts = files.filter(({ name, bytes }) => pattern.test(name) && bytes > 0)
    const wanted = Number(pattern.exec(parts[0]?.name ?? '')?.[2] ?? 1)
    if (parts.length >= wanted) return parts.reduce((sum, { bytes }) => sum + bytes, 0)
  }
  return undefined
}

export async function checkModel(
  { model }: Pick<Config, 'model'>,
  environment: Environment,
  found: ModelFiles | undefined,
): Promise<Finding> {
  if (found !== undefined)
    return ok('model', `${model}: ${asSize(found.weightBytes)} of weights in ${found.directory}`)
  const says = `${model}: no whole model, neither in such a directory nor in the cache of the Hub`
  if (isOffline(environment))
    return fail(
      'model',
      `${says}, and HF_HUB_OFFLINE forbids fetching it`,
      'HF_HUB_OFFLINE=0 npm run model -- pull',
    )
  return warn('model', says, 'npm run model -- pull, or MODEL=DIRECTORY')
}

/** As the Hub's client reads it. */
export function isOffline({ HF_HUB_OFFLINE = '' }: Environment): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes(HF_HUB_OFFLINE.toUpperCase())
}

/** Both of these start the engine; it is not worth it, and would download, without the files. */
export async function checkRepairs(
  found: ModelFiles | undefined,
  { transcribe }: Pick<World, 'transcribe'>,
): Promise<Finding> {
  if (found === undefined) return warn('repairs', 'not known: the model is not here', MODEL_FIRST)
  try {
    const { repairs } = (await transcribe()).facts
    if (repairs.length === 0) return ok('repairs', 'nothing in the model had to be repaired')
    return ok('repairs', `done in memory, the files are as they were: ${repairs.join('; ')}`)
  } catch {
    return warn('repairs', 'not known: the transcription failed', MODEL_FIRST)
  }
}

export async function checkTranscription(
  found: ModelFiles | undefined,
  { transcribe }: Pick<World, 'transcribe'>,
): Promise<Finding> {
  const name = 'transcription'
  if (found === undefined) return warn(name, 'not tried: the model is not here', MODEL_FIRST)
  try {
    const { facts, text, audioSeconds, tookSeconds } = await transcribe()
    const spoken = wordsOf(SPOKEN)
    const heard = new Set(wordsOf(text))
    const right = spoken.filter((word) => heard.has(word)).length
    const on = `${facts.deviceName} (${facts.device}, ${facts.computeType})`
    const says = `${audioSeconds.toFixed(1)} s of Danish in ${tookSeconds.toFixed(2)} s on ${on}: ${right} of ${spoken.length} words right`
    if (heard.size === 0)
      return fail(
        name,
        `${says}, for nothing was heard`,
        'another MODEL, to find out whether it is the model',
      )
    return right * 2 >= spoken.length
      ? ok(name, says)
      : warn(name, says, 'a MODEL that knows Danish; a larger COMPUTE_TYPE')
  } catch (error) {
    return fail(name, reasonOf(error), 'LOG_LEVEL=debug npm start, which says more')
  }
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/\p{L}+/gu) ?? []
}
