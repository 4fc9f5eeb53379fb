/** Which checks are made, in which order, and how long each may take. What they find is theirs. */
import { versions } from 'node:process'
import { until } from '../until.ts'
import { type Finding, fail, reasonOf } from './finding.ts'
import { checkCapability, checkDriver, checkMemory, checkProduct } from './gpu.ts'
import { checkModel, checkRepairs, checkTranscription, findModel } from './model.ts'
import { checkCertificate, checkClock, checkName, checkPorts, checkRouter, hostOf } from './network.ts'
import { checkFfmpeg, checkIsolation, checkNode } from './programs.ts'
import { checkPython, checkTorchBuild } from './python.ts'
import { checkDataDirectory, checkDisk, checkJobs, checkKeys } from './storage.ts'
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

export async function checksOf(subject: Subject, world: World): Promise<Check[]> {
  const { config, environment } = subject
  const local = (name: string, look: Check['look']): Check => ({ name, deadlineMs: LOCAL_MS, look })
  const model = await findModel(config.model, environment, world)
  return [
    local('node', () => checkNode(versions.node)),
    local('python', () => checkPython(world)),
    local('torch', () => checkTorchBuild(config, world)),
    local('driver', () => checkDriver(config, world)),
    local('gpu', () => checkCapability(config, world)),
    local('arithmetic', () => checkProduct(world)),
    local('memory', () => checkMemory(model?.weightBytes, world)),
    local('ffmpeg', () => checkFfmpeg(world)),
    local('isolation', () => checkIsolation(world)),
    local('data', () => checkDataDirectory(config, world)),
    local('disk', () => checkDisk(config, world)),
    local('keys', () => checkKeys(config, world)),
    local('jobs', () => checkJobs(config, world)),
    local('model', () => checkModel(config, environment, model)),
    { name: 'transcription', deadlineMs: ENGINE_MS, look: () => checkTranscription(model, world) },
    { name: 'repairs', deadlineMs: LOCAL_MS, look: () => checkRepairs(model, world) },
    ...networkChecks(subject, world),
  ]
}

function networkChecks({ environment, isOnline }: Subject, world: World): Check[] {
  const remote = (name: string, look: Check['look']): Check => ({ name, deadlineMs: NETWORK_MS, look })
  const siteAddress = environment['SITE_ADDRESS'] ?? ''
  const host = hostOf(siteAddress)
  const hasCertificate = !siteAddress.startsWith('http://')
  const seen = () =>
    isOnline ? world.publicAddress().catch(toError) : Promise.resolve(new Error('nobody was asked'))
  const known = async () => {
    const address = await seen()
    return address instanceof Error ? undefined : address
  }
  return [
    ...(isOnline ? [remote('clock', () => checkClock(world))] : []),
    ...(host === undefined ? [] : [remote('name', async () => checkName(host, await known(), world))]),
    ...(host === undefined && !isOnline ? [] : [remote('ports', () => checkPorts(world))]),
    ...(isOnline ? [remote('router', async () => checkRouter(await seen(), world))] : []),
    ...(host === undefined || !hasCertificate
      ? []
      : [remote('certificate', () => checkCertificate(host, world))]),
  ]
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
