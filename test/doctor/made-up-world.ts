// A world that answers what a test says it answers, and is a mistake of the test when it is asked anything else.
import { type Config, readConfig } from '../../src/config.ts'
import type { PythonProbe, TorchProbe } from '../../src/doctor/python-probe.ts'
import type { Ran, Trial, World } from '../../src/doctor/world.ts'

export function madeUpWorld(answers: Partial<World>): World {
  const notAsked = (name: string) => (): never => {
    throw new Error(`${name} was not to be asked`)
  }
  return new Proxy(answers, {
    get: (known, name: keyof World) => known[name] ?? notAsked(name),
  }) as World
}

export function configWith(environment: Record<string, string>): Config {
  return readConfig(environment)
}

export function ran(stdout: string, exitCode = 0, stderr = ''): () => Promise<Ran> {
  return async () => ({ exitCode, stdout, stderr })
}

export async function noSuchProgram(): Promise<never> {
  throw new Error('there is no nvidia-smi')
}

export function rejecting(message: string, code?: string): () => Promise<never> {
  return async () => {
    throw Object.assign(new Error(message), code === undefined ? {} : { code })
  }
}

type Gpu = NonNullable<TorchProbe['gpu']>

export const CPU_TORCH: TorchProbe = {
  version: '2.13.0+cpu',
  cuda_version: null,
  driver_cuda: null,
  cudnn: null,
  cuda_problem: 'this torch was built without CUDA',
  device: 'cpu',
  product: null,
  gpu: null,
}

const GB10: Gpu = {
  name: 'NVIDIA GB10',
  capability: [12, 1],
  built_for: ['sm_80', 'sm_120'],
  is_integrated: true,
  free_bytes: 2e9,
  total_bytes: 128e9,
}

export function cudaTorch(gpu: Partial<Gpu> = {}): TorchProbe {
  return {
    version: '2.13.0',
    cuda_version: '13.0',
    driver_cuda: '13.0',
    cudnn: '9.11',
    cuda_problem: null,
    device: 'cuda',
    product: null,
    gpu: { ...GB10, ...gpu },
  }
}

export function pythonWith(torch: TorchProbe): World['python'] {
  return async (): Promise<PythonProbe> => ({ python: '3.12.3', missing: [], transformers: '5.18.0', torch })
}

export function trial(answer: Partial<Trial> & { repairs?: string[] }): World['transcribe'] {
  const { repairs = [], ...rest } = answer
  return async () => ({
    facts: {
      modelId: 'm',
      revision: null,
      device: 'cpu',
      deviceName: 'x86_64',
      computeType: 'float32',
      languages: ['da'],
      canTranslate: true,
      vad: 'silero',
      slots: 8,
      repairs,
      reasons: {},
      versions: {},
      readyAtUnixSeconds: 0,
    },
    text: '',
    audioSeconds: 5.8,
    tookSeconds: 0.25,
    ...rest,
  })
}
