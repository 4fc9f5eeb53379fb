/** The driver, the device and its memory: what nvidia-smi and torch say of them, judged for what is asked of them. */
import type { Config } from '../config.ts'
import { type Finding, fail, asSize, ok, reasonOf, warn } from './finding.ts'
import type { Ran, World } from './world.ts'

/** The oldest driver for a CUDA runtime of that major version (docs.nvidia.com/deploy/cuda-compatibility). */
const OLDEST_DRIVER: Readonly<Record<string, number>> = { '13': 580, '12': 525 }
const QUERY = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader']
const INSTALL =
  'sudo apt install nvidia-driver-580-open, then restart; in a container: the NVIDIA Container Toolkit'
const SLOTS_BYTES = 1024 ** 3

type Device = Pick<Config, 'device'>

export async function checkDriver(
  { device }: Device,
  world: Pick<World, 'run' | 'python'>,
): Promise<Finding> {
  const ran = await world.run('nvidia-smi', QUERY).catch(() => undefined)
  if (ran?.exitCode !== 0) return noDriver(device, ran)
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

function noDriver(device: Config['device'], ran: Ran | undefined): Finding {
  if (ran !== undefined && device !== 'cpu') {
    const why = reasonOf(ran.stderr.trim() || ran.stdout.trim())
    return (device === 'cuda' ? fail : warn)('driver', `nvidia-smi does not work: ${why}`, INSTALL)
  }
  if (device === 'cuda')
    return fail('driver', 'there is no nvidia-smi, and DEVICE=cuda asks for a GPU', INSTALL)
  return ok(
    'driver',
    device === 'cpu' ? 'not needed with DEVICE=cpu' : 'no nvidia-smi: a machine without NVIDIA GPU',
  )
}

export async function checkCapability(
  { device }: Device,
  { python, run }: Pick<World, 'python' | 'run'>,
): Promise<Finding> {
  const { torch } = await python()
  if (torch?.gpu == null) return noGpu(device, torch?.cuda_problem ?? 'torch is not there', run)
  const { name, capability, built_for: builds } = torch.gpu
  const says = `${name}, compute capability ${capability.join('.')}`
  if (builds.some((build) => runsOn(build, capability))) return ok('gpu', says)
  const mend = 'a build of torch for this GPU (CUDA_NOTES.md)'
  return warn('gpu', `${says}; torch holds code for ${builds.join(', ')}`, mend)
}

async function noGpu(device: Config['device'], why: string, run: World['run']): Promise<Finding> {
  if (device === 'cpu') return ok('gpu', 'not used with DEVICE=cpu')
  const mend = 'mend the driver and torch, or DEVICE=cpu'
  if (device === 'cuda') return fail('gpu', `${why}, and DEVICE=cuda asks for a GPU`, mend)
  return (await hasDriver(run))
    ? warn('gpu', `there is one, and it is not used: ${why}`, mend)
    : ok('gpu', `none: ${why}`)
}

/** Whether nvidia-smi finds a GPU. */
export function hasDriver(run: World['run']): Promise<boolean> {
  return run('nvidia-smi', ['-L']).then(
    ({ exitCode }) => exitCode === 0,
    () => false,
  )
}

/** Machine code runs on later minor versions of its major; `compute_` is compiled for any later device when it is needed. */
function runsOn(build: string, [major, minor]: readonly [number, number]): boolean {
  const [, kind, digits] = /^(sm|compute)_(\d+)/.exec(build) ?? []
  const number = Number(digits)
  const ours = major * 10 + minor
  if (kind === 'compute') return number <= ours
  return Math.floor(number / 10) === major && number <= ours
}

export async function checkProduct({ python }: Pick<World, 'python'>): Promise<Finding> {
  const { torch } = await python()
  if (torch === undefined) return fail('arithmetic', 'not tried: torch is not there', 'mend python first')
  const what = `a product of two matrices of 512 × 512 on ${torch.gpu?.name ?? 'the CPU'}`
  if (torch.product === null) return ok('arithmetic', `${what} is right`)
  return fail(
    'arithmetic',
    `${what} is wrong: ${torch.product}`,
    'sudo dmesg | grep -i -e xid -e nvrm; then DEVICE=cpu to go on',
  )
}

/** `weightBytes`: of the model's files, if they are here. */
export async function checkMemory(
  weightBytes: number | undefined,
  world: Pick<World, 'python' | 'readText'>,
): Promise<Finding> {
  const gpu = (await world.python().catch(() => undefined))?.torch?.gpu ?? undefined
  const isOwn = gpu !== undefined && !gpu.is_integrated
  // On unified memory the driver counts what the page cache could give back as taken.
  const free = isOwn ? gpu.free_bytes : await availableBytes(world)
  if (free === undefined) return ok('memory', 'this system does not tell what is free')
  const where = isOwn ? `of ${asSize(gpu.total_bytes)} on the GPU` : 'available (MemAvailable)'
  const says = `${asSize(free)} ${where}`
  if (weightBytes === undefined) return ok('memory', says)
  const needed = weightBytes + SLOTS_BYTES
  if (free >= needed) return ok('memory', says)
  return warn(
    'memory',
    `${says}; the model wants ${asSize(needed)}`,
    'end other programs (nvidia-smi, top), or set SLOTS=4',
  )
}

async function availableBytes({ readText }: Pick<World, 'readText'>): Promise<number | undefined> {
  const text = await readText('/proc/meminfo').catch(() => '')
  const kibibytes = /^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1]
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
}
