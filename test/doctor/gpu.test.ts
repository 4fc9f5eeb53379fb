// Driver, CUDA, GPU and memory: what is found on a GB10, on other machines and on none, judged for what was asked for.
import { expect, test } from 'vitest'
import { checkCuda, checkDriver } from '../../src/doctor/driver.ts'
import { checkCapability, checkMemory, checkProduct } from '../../src/doctor/gpu.ts'
import {
  CPU_TORCH,
  configWith,
  cudaTorch,
  noSuchProgram,
  pythonWith,
  ran,
  rejecting,
} from './made-up-world.ts'

const GIB = 1024 ** 3
const AUTO = configWith({})
const CUDA = configWith({ DEVICE: 'cuda' })
const CPU = configWith({ DEVICE: 'cpu' })
const REQUIRED = configWith({ REQUIRE_GPU: '1' })

test.each([
  [
    'a GB10, whose memory nvidia-smi does not tell',
    CUDA,
    ran('NVIDIA GB10, 580.126.09, [N/A]\n'),
    'ok',
    /memory not told/,
  ],
  ['a card of its own', AUTO, ran('NVIDIA L4, 590.44, 23034 MiB\n'), 'ok', /23034 MiB/],
  [
    'a driver older than the runtime',
    AUTO,
    ran('NVIDIA L4, 570.10, 23034 MiB\n'),
    'fail',
    /CUDA 13\.0 needs 580/,
  ],
  [
    'nvidia-smi that fails, with DEVICE=cuda',
    CUDA,
    ran('', 9, "couldn't communicate"),
    'fail',
    /couldn't communicate/,
  ],
  [
    'nvidia-smi that fails, with DEVICE=auto',
    AUTO,
    ran('', 9, "couldn't communicate"),
    'warn',
    /couldn't communicate/,
  ],
  ['no driver, with DEVICE=cuda', CUDA, noSuchProgram, 'fail', /asks for a GPU/],
  [
    'nvidia-smi that fails, with REQUIRE_GPU=1',
    REQUIRED,
    ran('', 9, "couldn't communicate"),
    'fail',
    /couldn't communicate/,
  ],
  ['no driver, with REQUIRE_GPU=1', REQUIRED, noSuchProgram, 'fail', /REQUIRE_GPU=1 asks for a GPU/],
  ['no driver, with DEVICE=auto', AUTO, noSuchProgram, 'ok', /without NVIDIA GPU/],
  ['no driver, with DEVICE=cpu', CPU, noSuchProgram, 'ok', /not needed/],
])('%s: the driver is judged', async (_what, config, run, state, says) => {
  const finding = await checkDriver(config, { run, python: pythonWith(cudaTorch()) })

  expect(finding).toMatchObject({ name: 'driver', state })
  expect(finding.says).toMatch(says)
})

test.each([
  ['Failed to initialize NVML: Unknown Error', /force-recreate server/],
  ['Failed to initialize NVML: Driver/library version mismatch', /sudo reboot/],
  ["couldn't communicate with the NVIDIA driver", /nvidia-driver-580-open/],
])('%s: what nvidia-smi says decides what mends it', async (says, mend) => {
  const finding = await checkDriver(REQUIRED, { run: ran(says, 18), python: pythonWith(cudaTorch()) })

  expect(finding).toMatchObject({ state: 'fail', mend: expect.stringMatching(mend) })
})

const cudaOf = (cuda_version: string | null, driver_cuda: string | null, cudnn: string | null = null) => ({
  ...cudaTorch(),
  cuda_version,
  driver_cuda,
  cudnn,
})

test.each([
  [
    'the same on both sides',
    REQUIRED,
    cudaOf('13.0', '13.0', '9.11'),
    'ok',
    'runtime 13.0, cuDNN 9.11; the driver has 13.0',
  ],
  ['a newer driver', CUDA, cudaOf('12.8', '13.0'), 'ok', 'runtime 12.8; the driver has 13.0'],
  [
    'a driver of the same major version',
    AUTO,
    cudaOf('13.2', '13.0'),
    'ok',
    'runtime 13.2; the driver has 13.0, which will do within one major version',
  ],
  [
    'a driver of an older one',
    AUTO,
    cudaOf('13.0', '12.8'),
    'fail',
    'runtime 13.0; the driver has 12.8, which is too old',
  ],
  [
    "no driver's library where a GPU is required",
    REQUIRED,
    cudaOf('13.0', null),
    'fail',
    'runtime 13.0; there is no libcuda.so.1, which comes with the driver',
  ],
  [
    "no driver's library where none is asked for",
    AUTO,
    cudaOf('13.0', null),
    'ok',
    'runtime 13.0; there is no libcuda.so.1, which comes with the driver',
  ],
  [
    'no runtime where a GPU is required',
    REQUIRED,
    CPU_TORCH,
    'fail',
    'torch brings none, and REQUIRE_GPU=1 asks for it',
  ],
  ['no runtime where none is asked for', CPU, CPU_TORCH, 'ok', 'none, and none is asked for'],
])('CUDA: %s', async (_what, config, torch, state, says) => {
  expect(await checkCuda(config, { python: pythonWith(torch) })).toMatchObject({ name: 'cuda', state, says })
})

test('without torch nothing is known of CUDA', async () => {
  const python = async () => ({ python: '3.12.3', missing: ['torch'] })

  expect(await checkCuda(AUTO, { python })).toMatchObject({ state: 'fail' })
})

test('a driver is told of without a rule for a runtime that we know none of', async () => {
  const torch = { ...cudaTorch(), cuda_version: '14.0' }
  const world = { run: ran('NVIDIA L4, 590.44, 23034 MiB'), python: pythonWith(torch) }

  expect(await checkDriver(AUTO, world)).toMatchObject({
    state: 'ok',
    says: 'NVIDIA L4, driver 590.44, 23034 MiB',
  })
})

test('a driver is told of when torch is not there to ask for a runtime', async () => {
  const world = { run: ran('NVIDIA GB10, 580.126.09, [N/A]'), python: rejecting('no python') }

  expect(await checkDriver(AUTO, world)).toMatchObject({ state: 'ok' })
})

test.each([
  [
    'a GB10 with code for 12.0',
    AUTO,
    cudaTorch(),
    noSuchProgram,
    'ok',
    /^NVIDIA GB10, compute capability 12\.1$/,
  ],
  [
    'code that is compiled when needed',
    AUTO,
    cudaTorch({ built_for: ['compute_90'] }),
    noSuchProgram,
    'ok',
    /12\.1/,
  ],
  [
    'code for other GPUs only',
    AUTO,
    cudaTorch({ built_for: ['sm_80', 'sm_90'] }),
    noSuchProgram,
    'warn',
    /sm_80, sm_90/,
  ],
  [
    'code for a later minor version only',
    AUTO,
    cudaTorch({ built_for: ['sm_123'] }),
    noSuchProgram,
    'warn',
    /sm_123/,
  ],
  ['no GPU with DEVICE=cuda', CUDA, CPU_TORCH, noSuchProgram, 'fail', /without CUDA/],
  ['no GPU with REQUIRE_GPU=1', REQUIRED, CPU_TORCH, noSuchProgram, 'fail', /REQUIRE_GPU=1 asks for a GPU/],
  ['no GPU', AUTO, CPU_TORCH, noSuchProgram, 'ok', /^none/],
  ['a GPU that torch cannot use', AUTO, CPU_TORCH, ran('GPU 0'), 'warn', /not used/],
  ['DEVICE=cpu', CPU, CPU_TORCH, ran('GPU 0'), 'ok', /not used/],
])('%s: the GPU is judged', async (_what, config, torch, run, state, says) => {
  const finding = await checkCapability(config, { python: pythonWith(torch), run })

  expect(finding).toMatchObject({ name: 'gpu', state })
  expect(finding.says).toMatch(says)
})

test('a product that is right is ok, and one that is not fails with how', async () => {
  const wrong = { ...cudaTorch(), product: 'it is off by up to 3' }

  expect(await checkProduct(CUDA, { python: pythonWith(cudaTorch()) })).toMatchObject({
    state: 'ok',
    says: expect.stringContaining('NVIDIA GB10'),
  })
  expect(await checkProduct(AUTO, { python: pythonWith(wrong) })).toMatchObject({
    state: 'fail',
    says: expect.stringContaining('off by up to 3'),
  })
})

test('a product on the CPU is no answer where a GPU is asked for', async () => {
  expect(await checkProduct(REQUIRED, { python: pythonWith(CPU_TORCH) })).toMatchObject({
    state: 'fail',
    says: 'not tried on a GPU, for which REQUIRE_GPU=1 asks',
  })
})

const meminfo = (gib: number) => async () => `MemTotal: 1 kB\nMemAvailable:  ${gib * 1024 ** 2} kB\n`
const card = cudaTorch({ is_integrated: false, free_bytes: 3 * GIB, total_bytes: 24 * GIB })

test.each([
  [
    'unified memory, by what Linux could give',
    cudaTorch(),
    meminfo(100),
    3 * GIB,
    'ok',
    /^100\.0 GiB available/,
  ],
  ['unified memory that is used up', cudaTorch(), meminfo(3), 3 * GIB, 'warn', /wants 4\.0 GiB/],
  ['a card, by what it says itself', card, meminfo(100), 2 * GIB, 'ok', /^3\.0 GiB of 24\.0 GiB on the GPU/],
  ['a card that is used up', card, meminfo(100), 3 * GIB, 'warn', /on the GPU; .* wants 4\.0 GiB/],
  ['a CPU, for a model that is not here', CPU_TORCH, meminfo(2), undefined, 'ok', /^2\.0 GiB/],
  ['a system that does not tell', CPU_TORCH, rejecting('no /proc'), GIB, 'ok', /does not tell/],
])('%s: memory is judged', async (_what, torch, readText, weightBytes, state, says) => {
  const finding = await checkMemory(weightBytes, { python: pythonWith(torch), readText })

  expect(finding).toMatchObject({ name: 'memory', state })
  expect(finding.says).toMatch(says)
})

test('of unified memory it is told, too, what CUDA says', async () => {
  const finding = await checkMemory(undefined, { python: pythonWith(cudaTorch()), readText: meminfo(100) })

  expect(finding.says).toBe('100.0 GiB available (MemAvailable); CUDA itself tells 1.9 GiB of 119.2 GiB')
})

test.each([
  ['7516192768', 'ok', /^4\.0 GiB of the 7\.0 GiB that this container may have; 100\.0 GiB available/],
  ['5368709120', 'warn', /^2\.0 GiB of the 5\.0 GiB that this container may have; .* wants 4\.0 GiB/],
  ['max', 'ok', /^100\.0 GiB available/],
])('in a container that may have %s bytes, memory is judged by that', async (limit, state, says) => {
  const files: Record<string, string> = {
    '/proc/meminfo': `MemAvailable:  ${100 * 1024 ** 2} kB\n`,
    '/sys/fs/cgroup/memory.max': `${limit}\n`,
    '/sys/fs/cgroup/memory.current': `${4 * GIB}\n`,
    '/sys/fs/cgroup/memory.stat': `anon 5\ninactive_file ${GIB}\n`,
  }
  const readText = async (path: string) => files[path] ?? rejecting('no such file')()
  const finding = await checkMemory(3 * GIB, { python: pythonWith(CPU_TORCH), readText })

  expect(finding).toMatchObject({ state })
  expect(finding.says).toMatch(says)
})
