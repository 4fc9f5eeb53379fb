/** The command line of the Python child. It decides where the child runs and what it is told; nothing is started here. */
import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../config.ts'

/** A program to start, ready to be given to the operating system. */
export interface WorkerCommand {
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string
  /** Added to our own environment. */
  readonly environment: Readonly<Record<string, string>>
}

/** `python -m whisper_worker` finds the package because this is its working directory. */
const PYTHON_DIRECTORY = fileURLToPath(new URL('../../python/', import.meta.url))

/** `modelArguments` are `modelArguments(config)`, or `['--fake']` for the model without torch. `cpuThreads` 0: the child's choice. */
export function workerCommand(
  pythonPath: string,
  modelArguments: readonly string[],
  spoolDirectory: string,
  cpuThreads = 0,
): WorkerCommand {
  return {
    file: pythonPath,
    args: ['-m', 'whisper_worker', ...modelArguments, '--spool-dir', spoolDirectory],
    cwd: PYTHON_DIRECTORY,
    // Unbuffered: otherwise Python keeps what it prints, and a crash takes the last words with it. The clients' keys are
    // none of the child's business.
    environment: {
      PYTHONUNBUFFERED: '1',
      API_KEYS: '',
      ...(cpuThreads > 0 && { OMP_NUM_THREADS: String(cpuThreads) }),
    },
  }
}

type ModelSettings = Pick<
  Config,
  'model' | 'modelRevision' | 'device' | 'isGpuRequired' | 'computeType' | 'slots' | 'compiles' | 'hasGraphs'
>

export function modelArguments(config: ModelSettings): string[] {
  return [
    '--model',
    absoluteIfDirectory(config.model),
    ...(config.modelRevision === undefined ? [] : ['--revision', config.modelRevision]),
    '--device',
    config.device,
    '--compute-type',
    config.computeType,
    '--slots',
    String(config.slots),
    ...(config.compiles ? ['--compile'] : []),
    ...(config.hasGraphs ? [] : ['--no-graphs']),
    ...(config.isGpuRequired ? ['--require-gpu'] : []),
  ]
}

/** The child has another working directory; and a Hub id looks like a relative path until one looks at the disk. */
function absoluteIfDirectory(model: string): string {
  return existsSync(model) && statSync(model).isDirectory() ? resolve(model) : model
}
