/** What `python -m whisper_worker.probe` prints. It judges nothing. */
import { z } from 'zod'

const Torch = z.strictObject({
  version: z.string(),
  /** Null: built without CUDA. */
  cuda_version: z.string().nullable(),
  /** Of the driver's own library, such as 13.0. Null: there is none. */
  driver_cuda: z.string().nullable(),
  cudnn: z.string().nullable(),
  cuda_problem: z.string().nullable(),
  device: z.enum(['cuda', 'cpu']),
  /** What is wrong with a matrix product there. */
  product: z.string().nullable(),
  gpu: z
    .strictObject({
      name: z.string(),
      capability: z.tuple([z.int(), z.int()]),
      /** `sm_120`, `compute_120` and such. */
      built_for: z.array(z.string()),
      is_integrated: z.boolean(),
      free_bytes: z.number(),
      total_bytes: z.number(),
    })
    .nullable(),
})

const PythonProbe = z.strictObject({
  python: z.string(),
  /** Packages. While there are any, torch is not asked. */
  missing: z.array(z.string()),
  transformers: z.string().optional(),
  /** Where Python.h lies, if it is there. */
  python_header: z.string().nullable().optional(),
  torch: Torch.optional(),
})
export type PythonProbe = z.output<typeof PythonProbe>
export type TorchProbe = z.output<typeof Torch>

/** @throws Error when it is not what the probe prints. */
export function parseProbe(stdout: string): PythonProbe {
  const last = stdout.trim().split('\n').at(-1) ?? ''
  return PythonProbe.parse(JSON.parse(last))
}
