/** Asks `python -m whisper_worker.model_command`, which looks at the Hub and at the files. It knows the lines, not what is made of them. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

/** `python -m` finds the package because this is its working directory. */
const PYTHON_DIRECTORY = fileURLToPath(new URL('../../python/', import.meta.url))

const Bytes = z.int().nonnegative()

export const ModelEvent = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('plan'),
    model: z.string(),
    commit: z.string(),
    directory: z.string(),
    files: z.array(z.object({ name: z.string(), bytes: Bytes, have: Bytes })).readonly(),
  }),
  z.object({ kind: z.literal('moved'), name: z.string(), done: Bytes }),
  z.object({ kind: z.literal('checking'), name: z.string() }),
  z.object({ kind: z.literal('finished'), name: z.string() }),
  z.object({ kind: z.literal('waiting'), reason: z.string(), seconds: z.number() }),
  z.object({ kind: z.literal('damaged'), name: z.string(), problem: z.string() }),
  z.object({
    kind: z.literal('found'),
    model: z.string(),
    commit: z.string().nullable(),
    bytes: Bytes,
    total: Bytes.nullable(),
    is_whole: z.boolean(),
    is_used: z.boolean(),
  }),
  z.object({
    kind: z.literal('model'),
    model: z.string(),
    commit: z.string().nullable(),
    directory: z.string(),
    bytes: Bytes,
    pinned: z.string().nullable(),
    is_listed: z.boolean(),
    parameters: Bytes.nullable(),
    dtypes: z.record(z.string(), Bytes),
    shape: z.record(z.string(), z.unknown()),
    generation: z.record(z.string(), z.unknown()),
    repairs: z.array(z.string()),
    licence: z.string().nullable(),
    base: z.string().nullable(),
    problems: z.array(z.string()),
  }),
  z.object({ kind: z.literal('failed'), code: z.string(), message: z.string() }),
])
export type ModelEvent = z.infer<typeof ModelEvent>
export type ModelFacts = Extract<ModelEvent, { kind: 'model' }>
export type FoundModel = Extract<ModelEvent, { kind: 'found' }>

export interface Question {
  readonly verb: 'pull' | 'describe' | 'verify' | 'list'
  readonly options: readonly string[]
  readonly words: readonly string[]
}

/** What has come stays, and the same question goes on from there. */
export class Interrupted extends Error {}

/** @throws Interrupted when the signal came; Error when Python cannot be asked. */
export async function* askPython(
  pythonPath: string,
  { verb, options, words }: Question,
  signal: AbortSignal,
): AsyncGenerator<ModelEvent> {
  const child = spawn(pythonPath, ['-m', 'whisper_worker.model_command', ...options, verb, '--', ...words], {
    cwd: PYTHON_DIRECTORY,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new Error(`the Python of PYTHON_PATH cannot be started: ${cause.message}`, { cause })),
    )
    child.once('exit', resolve)
  })
  // Whoever reads the lines hears of it below; until then nobody waits for it.
  ended.catch(() => undefined)
  const interrupt = () => child.kill('SIGINT')
  signal.addEventListener('abort', interrupt, { once: true })
  try {
    for await (const line of createInterface({ input: child.stdout }))
      yield ModelEvent.parse(JSON.parse(line))
    const exitCode = await ended
    if (signal.aborted) throw new Interrupted()
    if (exitCode !== 0 && exitCode !== SAID_WHY) throw new Error(`Python ended with ${exitCode}`)
  } finally {
    signal.removeEventListener('abort', interrupt)
    child.kill('SIGKILL')
  }
}

const SAID_WHY = 3
