/** Python, its packages, and whether torch was built for the device that is wanted. */
import { type Finding, fail, ok, reasonOf, warn } from './finding.ts'
import { gpuAskedBy, type Wishes } from './driver.ts'
import { hasDriver } from './gpu.ts'
import type { World } from './world.ts'

/** setup.mjs does it again when its stamp is gone. */
const AGAIN = 'rm -r .venv .setup/python && node scripts/setup.mjs'

export async function checkPython({ python }: Pick<World, 'python'>): Promise<Finding> {
  try {
    const { python: version, missing, torch, transformers } = await python()
    if (missing.length > 0) return fail('python', `Python ${version} lacks ${missing.join(', ')}`, AGAIN)
    return ok('python', `Python ${version}, torch ${torch?.version}, transformers ${transformers}`)
  } catch (error) {
    return fail('python', `the Python of PYTHON_PATH does not answer: ${reasonOf(error)}`, AGAIN)
  }
}

/** The classic of the GB10: pip took a wheel for CPUs, and everything works, slowly. */
export async function checkTorchBuild(
  wishes: Wishes,
  { python, run }: Pick<World, 'python' | 'run'>,
): Promise<Finding> {
  const { torch } = await python()
  if (torch === undefined) return fail('torch', 'torch is not there', AGAIN)
  const { version, cuda_version: cuda } = torch
  if (cuda !== null) return ok('torch', `torch ${version}, built for CUDA ${cuda}`)
  const says = `torch ${version} was built without CUDA`
  const mend = `a build of torch ≥ 2.11 for CUDA 13 (CUDA_NOTES.md), then: ${AGAIN}`
  const askedBy = gpuAskedBy(wishes)
  if (askedBy !== undefined) return fail('torch', `${says}, and ${askedBy} asks for it`, mend)
  const hasGpu = wishes.device === 'auto' && (await hasDriver(run))
  return hasGpu ? warn('torch', `${says}, so the GPU of this machine is not used`, mend) : ok('torch', says)
}
