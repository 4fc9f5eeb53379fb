/** The driver and its CUDA, judged for the CUDA that torch brings and for what is asked of them. */
import type { Config } from '../config.ts'
import { type Finding, fail, ok, reasonOf, warn } from './finding.ts'
import type { Ran, World } from './world.ts'

/** The oldest driver for a CUDA runtime of that major version (docs.nvidia.com/deploy/cuda-compatibility). */
const OLDEST_DRIVER: Readonly<Record<string, number>> = { '13': 580, '12': 525 }
const QUERY = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader']
const INSTALL = 'sudo apt install nvidia-driver-580-open, then restart the machine'
/** What nvidia-smi says, and what mends that. */
const KNOWN_TROUBLE: readonly (readonly [RegExp, string])[] = [
  [/version mismatch/i, 'sudo reboot: the driver was upgraded while the machine ran'],
  [/Unknown Error/i, 'docker compose up -d --force-recreate server: the container has lost its devices'],
]

export type Wishes = Pick<Config, 'device' | 'isGpuRequired'>

/** The setting that a machine without GPU does not fulfil. Undefined: a CPU will do. */
export function gpuAskedBy({ device, isGpuRequired }: Wishes): string | undefined {
  if (isGpuRequired) return 'REQUIRE_GPU=1'
  return device === 'cuda' ? 'DEVICE=cuda' : undefined
}

export async function checkDriver(wishes: Wishes, world: Pick<World, 'run' | 'python'>): Promise<Finding> {
  const ran = await world.run('nvidia-smi', QUERY).catch(() => undefined)
  if (ran?.exitCode !== 0) return noDriver(wishes, ran)
  const [name = '', version = '', memory = ''] = (ran.stdout.split('\n')[0] ?? '')
    .split(',')
    .map((cell) => cell.trim())
  const runtime = await world.python().then(
    ({ torch }) => torch?.cuda_version ?? undefined,
    () => undefined,
  )
  // Of unified memory it says [N/A] or Not Supported, which is no fault.
  const size = /^\d+ MiB$/.test(memory) ? memory : 'memory not told, as with unified memory'
  const says = `${name}, driver ${version}, ${size}`
  const oldest = OLDEST_DRIVER[runtime?.split('.')[0] ?? '']
  if (oldest === undefined) return ok('driver', says)
  const rule = `${says}; CUDA ${runtime} needs ${oldest} or newer`
  return Number.parseFloat(version) >= oldest ? ok('driver', rule) : fail('driver', rule, INSTALL)
}

function noDriver(wishes: Wishes, ran: Ran | undefined): Finding {
  const askedBy = gpuAskedBy(wishes)
  if (ran !== undefined && wishes.device !== 'cpu') {
    const why = reasonOf(ran.stderr.trim() || ran.stdout.trim())
    const mend = KNOWN_TROUBLE.find(([words]) => words.test(why))?.[1] ?? INSTALL
    return (askedBy === undefined ? warn : fail)('driver', `nvidia-smi does not work: ${why}`, mend)
  }
  if (askedBy !== undefined)
    return fail('driver', `there is no nvidia-smi, and ${askedBy} asks for a GPU`, INSTALL)
  return ok(
    'driver',
    wishes.device === 'cpu' ? 'not needed with DEVICE=cpu' : 'no nvidia-smi: a machine without NVIDIA GPU',
  )
}

/** The runtime comes with torch, its other half with the driver. */
export async function checkCuda(wishes: Wishes, { python }: Pick<World, 'python'>): Promise<Finding> {
  const { torch } = await python()
  if (torch === undefined) return fail('cuda', 'not known: torch is not there', 'mend python first')
  const { cuda_version: runtime, driver_cuda: driver, cudnn } = torch
  const askedBy = wishes.device === 'cpu' ? undefined : gpuAskedBy(wishes)
  if (runtime === null) {
    if (askedBy === undefined) return ok('cuda', 'none, and none is asked for')
    return fail('cuda', `torch brings none, and ${askedBy} asks for it`, 'mend torch first')
  }
  const says = `runtime ${runtime}${cudnn === null ? '' : `, cuDNN ${cudnn}`}`
  if (driver === null) {
    const missing = `${says}; there is no libcuda.so.1, which comes with the driver`
    return askedBy === undefined ? ok('cuda', missing) : fail('cuda', missing, INSTALL)
  }
  const both = `${says}; the driver has ${driver}`
  if (majorOf(driver) < majorOf(runtime)) return fail('cuda', `${both}, which is too old`, INSTALL)
  return ok('cuda', isOlder(driver, runtime) ? `${both}, which will do within one major version` : both)
}

const majorOf = (version: string): number => Number.parseInt(version, 10)

function isOlder(one: string, other: string): boolean {
  const [major = 0, minor = 0] = one.split('.').map(Number)
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number)
  return major < otherMajor || (major === otherMajor && minor < otherMinor)
}
