/** Which checks are made, in which order, and how long each may take. What they find is theirs. */
import { until } from '../until.ts'
import { checkCertificate } from './certificate.ts'
import { checkCompiler } from './compiler.ts'
import { cachesOf, checkCaches, checkContainer } from './container.ts'
import { checkCuda, checkDriver } from './driver.ts'
import { type Finding, fail, reasonOf } from './finding.ts'
import { checkCapability, checkMemory, checkProduct } from './gpu.ts'
import type { LineName } from './lines.ts'
import { checkModel, checkRepairs, checkTranscription, findModel, type ModelFiles } from './model.ts'
import { checkClock, checkName, checkPorts, checkRouter } from './network.ts'
import { checkFfmpeg, checkIsolation, checkNode } from './programs.ts'
import { checkPython, checkTorchBuild } from './python.ts'
import { doorOf, siteOf } from './site.ts'
import { checkDataDirectory, checkDisk, checkJobs, checkKeys } from './storage.ts'
import { checkObjects, checkQueue, wantsObjects } from './stores.ts'
import type { Subject, World } from './world.ts'

export interface Check {
  readonly name: string
  readonly deadlineMs: number
  readonly look: () => Promise<Finding>
}

/** Programs that start from a cold disk. */
const LOCAL_MS = 60_000
/** A large model is read from a cold disk, and a new GPU's kernels may be compiled. */
const ENGINE_MS = 600_000
const NETWORK_MS = 5000
/** Three questions to a store that may be far away. */
const OBJECTS_MS = 15_000

/** One after the other: at once they would measure each other. None takes longer than its deadline, and none throws. */
export async function* examine(checks: readonly Check[]): AsyncGenerator<Finding, void, undefined> {
  for (const check of checks) yield await inItsTime(check)
}

async function inItsTime({ name, deadlineMs, look }: Check): Promise<Finding> {
  const late = new AbortController()
  // Not AbortSignal.timeout, which would let the process end while nothing but it is waited for.
  const timer = setTimeout(() => late.abort(), deadlineMs)
  try {
    return await until(Promise.resolve().then(look), late.signal)
  } catch (error) {
    const says = late.signal.aborted
      ? `no answer within ${deadlineMs / 1000} s`
      : `could not be looked at: ${reasonOf(error)}`
    return fail(name, says, 'mend what fails above first, then try again')
  } finally {
    clearTimeout(timer)
  }
}

interface Named {
  readonly name: LineName
  readonly deadlineMs: number
  readonly look: () => Promise<Finding>
}

const local = (name: LineName, look: Check['look']): Named => ({ name, deadlineMs: LOCAL_MS, look })
const remote = (name: LineName, look: Check['look']): Named => ({ name, deadlineMs: NETWORK_MS, look })
const only = (isWanted: boolean, ...checks: Named[]): Named[] => (isWanted ? checks : [])

export async function checksOf(subject: Subject, world: World): Promise<Named[]> {
  const { config, environment } = subject
  // A server that leaves the work to others needs nothing that works.
  const hasEngine = config.role !== 'api'
  const model = hasEngine ? await findModel(config, environment, world) : undefined
  return [
    local('node', () => checkNode(world.nodeVersion())),
    ...only(hasEngine, ...engineChecks(subject, model, world)),
    ...placeChecks(subject, world),
    local('data', () => checkDataDirectory(config, world)),
    local('disk', () => checkDisk(config, world)),
    local('keys', () => checkKeys(config, world)),
    local('jobs', () => checkJobs(config, world)),
    ...storeChecks(config, world),
    ...only(
      hasEngine,
      local('model', () => checkModel(config, environment, model)),
      { name: 'transcription', deadlineMs: ENGINE_MS, look: () => checkTranscription(model, world) },
      local('repairs', () => checkRepairs(model, world)),
    ),
    ...networkChecks(subject, world),
  ]
}

function engineChecks(
  { config, environment }: Subject,
  model: ModelFiles | undefined,
  world: World,
): Named[] {
  return [
    local('python', () => checkPython(world)),
    local('torch', () => checkTorchBuild(config, world)),
    local('driver', () => checkDriver(config, world)),
    local('cuda', () => checkCuda(config, world)),
    local('gpu', () => checkCapability(config, world)),
    local('arithmetic', () => checkProduct(config, world)),
    local('memory', () => checkMemory(model?.weightBytes, world)),
    ...only(
      config.compiles,
      local('compiler', () => checkCompiler(environment, world)),
    ),
    local('ffmpeg', () => checkFfmpeg(world)),
    local('isolation', () => checkIsolation(world)),
  ]
}

function placeChecks({ environment, isContainer }: Subject, world: World): Named[] {
  return [
    ...only(
      isContainer,
      local('container', () => checkContainer(world)),
    ),
    ...only(
      isContainer || cachesOf(environment).length > 0,
      local('caches', () => checkCaches(environment, world)),
    ),
  ]
}

function storeChecks(config: Subject['config'], world: World): Named[] {
  const { queueUrl } = config
  return [
    ...(queueUrl === undefined ? [] : [remote('queue', () => checkQueue(queueUrl, world))]),
    ...only(wantsObjects(config), {
      name: 'objects',
      deadlineMs: OBJECTS_MS,
      look: () => checkObjects(config, world),
    }),
  ]
}

function networkChecks({ environment, isOnline, isContainer }: Subject, world: World): Named[] {
  const site = siteOf(environment)
  const door = doorOf(environment, isContainer)
  const seen = () =>
    isOnline ? world.publicAddress().catch(toError) : Promise.resolve(new Error('nobody was asked'))
  const known = async () => {
    const address = await seen()
    return address instanceof Error ? undefined : address
  }
  const onlyHttp = site?.isBehindProxy ?? environment['CADDY_TLS'] === 'off'
  return [
    remote('clock', () => checkClock(isOnline, world)),
    ...(site === undefined ? [] : [remote('name', async () => checkName(site, await known(), world))]),
    ...only(
      site !== undefined || isOnline,
      remote('ports', () => checkPorts(door, { isBehindProxy: onlyHttp }, world)),
    ),
    ...only(
      isOnline,
      remote('router', async () => checkRouter(await seen(), isContainer, world)),
    ),
    ...(site === undefined || site.isBehindProxy
      ? []
      : [remote('certificate', () => checkCertificate(site, door, world))]),
  ]
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
