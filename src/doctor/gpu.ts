/** The GPU: whether torch can use it, whether it computes right, and whether a model fits into its memory. */
import { gpuAskedBy, type Wishes } from './driver.ts'
import { type Finding, fail, asSize, ok, warn } from './finding.ts'
import type { World } from './world.ts'

const SLOTS_BYTES = 1024 ** 3
const CGROUP = '/sys/fs/cgroup'

export async function checkCapability(
  wishes: Wishes,
  { python, run }: Pick<World, 'python' | 'run'>,
): Promise<Finding> {
  const { torch } = await python()
  if (torch?.gpu == null) return noGpu(wishes, torch?.cuda_problem ?? 'torch is not there', run)
  const { name, capability, built_for: builds } = torch.gpu
  const says = `${name}, compute capability ${capability.join('.')}`
  if (builds.some((build) => runsOn(build, capability))) return ok('gpu', says)
  const mend = 'a build of torch for this GPU (CUDA_NOTES.md)'
  return warn('gpu', `${says}; torch holds code for ${builds.join(', ')}`, mend)
}

async function noGpu(wishes: Wishes, why: string, run: World['run']): Promise<Finding> {
  if (wishes.device === 'cpu') return ok('gpu', 'not used with DEVICE=cpu')
  const askedBy = gpuAskedBy(wishes)
  const mend = 'mend the driver and torch, or DEVICE=cpu'
  if (askedBy !== undefined) return fail('gpu', `${why}, and ${askedBy} asks for a GPU`, mend)
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

export async function checkProduct(wishes: Wishes, { python }: Pick<World, 'python'>): Promise<Finding> {
  const { torch } = await python()
  if (torch === undefined) return fail('arithmetic', 'not tried: torch is not there', 'mend python first')
  const askedBy = gpuAskedBy(wishes)
  if (torch.gpu === null && askedBy !== undefined)
    return fail('arithmetic', `not tried on a GPU, for which ${askedBy} asks`, 'mend gpu first')
  const where = torch.gpu === null ? 'the CPU' : `${torch.gpu.name}, in float32 and bfloat16,`
  const what = `a product of two matrices of 512 × 512 on ${where}`
  if (torch.product === null) return ok('arithmetic', `${what} is right`)
  return fail(
    'arithmetic',
    `${what} is wrong: ${torch.product}`,
    'sudo dmesg | grep -i -e xid -e nvrm; then DEVICE=cpu to go on',
  )
}

interface Room {
  readonly bytes: number
  readonly says: string
}

/** `weightBytes`: of the model's files, if they are here. */
export async function checkMemory(
  weightBytes: number | undefined,
  world: Pick<World, 'python' | 'readText'>,
): Promise<Finding> {
  const room = await tightestRoom(world)
  if (room === undefined) return ok('memory', 'this system does not tell what is free')
  if (weightBytes === undefined) return ok('memory', room.says)
  const needed = weightBytes + SLOTS_BYTES
  if (room.bytes >= needed) return ok('memory', room.says)
  return warn(
    'memory',
    `${room.says}; the model wants ${asSize(needed)}`,
    'end other programs (nvidia-smi, top), or set SLOTS=4',
  )
}

async function tightestRoom(world: Pick<World, 'python' | 'readText'>): Promise<Room | undefined> {
  const gpu = (await world.python().catch(() => undefined))?.torch?.gpu ?? undefined
  if (gpu !== undefined && !gpu.is_integrated) {
    const says = `${asSize(gpu.free_bytes)} of ${asSize(gpu.total_bytes)} on the GPU`
    return { bytes: gpu.free_bytes, says }
  }
  const free = await availableBytes(world)
  if (free === undefined) return undefined
  // On unified memory the driver counts what the page cache could give back as taken.
  const told = gpu && `; CUDA itself tells ${asSize(gpu.free_bytes)} of ${asSize(gpu.total_bytes)}`
  const says = `${asSize(free)} available (MemAvailable)${told ?? ''}`
  const own = await containersRoom(world)
  if (own === undefined || own.bytes >= free) return { bytes: free, says }
  return { bytes: own.bytes, says: `${own.says}; ${says}` }
}

/** Undefined: the container has no bound of its own. */
async function containersRoom({ readText }: Pick<World, 'readText'>): Promise<Room | undefined> {
  const read = (name: string) => readText(`${CGROUP}/${name}`).catch(() => '')
  const [limit, used, stat] = await Promise.all(['memory.max', 'memory.current', 'memory.stat'].map(read))
  if (!/^\d+\s*$/.test(limit ?? '') || !/^\d+\s*$/.test(used ?? '')) return undefined
  const cached = Number(/^inactive_file (\d+)$/m.exec(stat ?? '')?.[1] ?? 0)
  const bytes = Math.max(0, Number(limit) - Number(used) + cached)
  return { bytes, says: `${asSize(bytes)} of the ${asSize(Number(limit))} that this container may have` }
}

async function availableBytes({ readText }: Pick<World, 'readText'>): Promise<number | undefined> {
  const text = await readText('/proc/meminfo').catch(() => '')
  const kibibytes = /^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1]
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
}
