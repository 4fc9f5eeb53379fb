/** The settings of the engine's device and arithmetic: rows of config.ts's table, and what becomes of them. */
import { z } from 'zod'
import { isYes, wholeNumber, yesOrNo } from './setting-types.ts'

const COMPUTE_TYPES = ['auto', 'bfloat16', 'float16', 'float32', 'int8', 'float8'] as const

export const ENGINE_SETTINGS = {
  DEVICE: {
    schema: z.enum(['auto', 'cuda', 'cpu']),
    fallback: 'auto',
    about: 'Where the model runs: auto, cuda or cpu',
  },
  REQUIRE_GPU: {
    schema: yesOrNo,
    fallback: '0',
    about: 'Whether a server without a GPU that can be used ends, instead of computing on the CPU: 1 or 0',
  },
  COMPUTE_TYPE: {
    schema: z.enum(COMPUTE_TYPES),
    fallback: 'auto',
    about: 'Arithmetic: auto, bfloat16, float16, float32, int8 or float8',
  },
  SLOTS: {
    schema: z.union([z.literal('auto'), wholeNumber(1, 64)], 'auto, or a whole number from 1 to 64'),
    fallback: 'auto',
    about: 'How many windows are decoded side by side: auto, or 1 to 64',
  },
  COMPILE: {
    schema: z.enum(['on', 'off']),
    fallback: 'off',
    about: 'Whether torch fuses the decoder first: on or off. Minutes at the start; needs a C++ compiler',
  },
  CUDA_GRAPHS: {
    schema: z.enum(['on', 'off']),
    fallback: 'on',
    about: 'Whether a step on a GPU is launched as one graph: on, or off where a driver fails at it',
  },
} as const

export interface EngineConfig {
  readonly device: 'auto' | 'cuda' | 'cpu'
  /** A CPU will not do, whatever `device` says. */
  readonly isGpuRequired: boolean
  readonly computeType: (typeof COMPUTE_TYPES)[number]
  readonly slots: 'auto' | number
  readonly compiles: boolean
  readonly hasGraphs: boolean
}

type Settings = typeof ENGINE_SETTINGS
type Read = <Name extends keyof Settings>(name: Name) => z.output<Settings[Name]['schema']>

export function engineConfigOf(read: Read): EngineConfig {
  return {
    device: read('DEVICE'),
    isGpuRequired: isYes(read('REQUIRE_GPU')),
    computeType: read('COMPUTE_TYPE'),
    slots: read('SLOTS'),
    compiles: read('COMPILE') === 'on',
    hasGraphs: read('CUDA_GRAPHS') === 'on',
  }
}

/** Settings that are good, each alone. */
export function contradictionsIn({ device, isGpuRequired }: EngineConfig): string[] {
  return isGpuRequired && device === 'cpu' ? ['REQUIRE_GPU=1: not with DEVICE=cpu, which wants none'] : []
}
