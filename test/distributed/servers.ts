// Real servers with the real tiny model, each a process that may be killed, and what their clients ask of jobs.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { AUDIO, ROOT } from '../end-to-end/server.ts'

export interface Server {
  readonly url: string
  readonly lines: readonly string[]
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>
}

/** Gone when the test has ended. */
export async function temporaryDirectory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'hviske-distributed-'))
  onTestFinished(() => rm(path, { recursive: true, force: true, maxRetries: 10 }))
  return path
}

/** Resolves when it listens. */
export async function startServer(dataDir: string, settings: Record<string, string> = {}): Promise<Server> {
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: ROOT,
    env: {
      ...process.env,
      MODEL: 'models/tiny-da',
      DEVICE: 'cpu',
      // One window at a time, so that there is something between the first and the last.
      SLOTS: '1',
      HOST: '127.0.0.1',
      PORT: '0',
      DATA_DIR: dataDir,
      HF_HUB_OFFLINE: '1',
      DRAIN_SECONDS: '0',
      ...settings,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const gone = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const kill = (signal: 'SIGKILL' | 'SIGTERM') => {
    child.kill(signal)
    return gone
  }
  onTestFinished(async () => void (await kill('SIGKILL')))
  const lines: string[] = []
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line)
      const found = /"message":"listening".*"url":"([^"]+)"/.exec(line)?.[1]
      if (found !== undefined) resolve(found)
    })
    void gone.then((code) => reject(new Error(`the server ended with ${code}:\n${lines.join('\n')}`)))
  })
  return { url, lines, kill }
}

export async function clip(name: string): Promise<Blob> {
  return new Blob([await readFile(join(AUDIO, name))])
}

/** Its id. Windows are short, so that there are many. */
export async function submit(
  { url }: Pick<Server, 'url'>,
  recording: Blob,
  fields: Readonly<Record<string, string>> = {},
): Promise<string> {
  const body = new FormData()
  body.append('file', recording, 'recording.wav')
  body.append('language', 'da')
  body.append('max_speech_duration_s', '6')
  for (const [name, value] of Object.entries(fields)) body.append(name, value)
  const response = await fetch(`${url}/v1/jobs`, { method: 'POST', body })
  if (response.status !== 202) throw new Error(`${response.status} ${await response.text()}`)
  return ((await response.json()) as { id: string }).id
}

interface ToldEvent {
  readonly number: number
  /** Of a window. */
  readonly window?: number
  readonly processed_seconds?: number
  readonly segments?: unknown
  /** Of a state. */
  readonly status?: string
  readonly error?: unknown
}

/** Until the job has ended, or the reader leaves. */
async function* eventsOf({ url }: Pick<Server, 'url'>, id: string): AsyncGenerator<ToldEvent> {
  const over = new AbortController()
  try {
    const { body } = await fetch(`${url}/v1/jobs/${id}/events`, { signal: over.signal })
    let text = ''
    for await (const piece of (body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
      const events = (text + piece).split('\n\n')
      text = events.pop() ?? ''
      for (const event of events) {
        const number = /^id: ?(\d+)$/m.exec(event)?.[1]
        const data = /^data: ?(.*)$/m.exec(event)?.[1]
        if (number !== undefined && data !== undefined) yield { number: Number(number), ...JSON.parse(data) }
      }
    }
  } finally {
    over.abort()
  }
}

/** The first window that is finished. */
export async function firstWindow(server: Pick<Server, 'url'>, id: string): Promise<ToldEvent> {
  for await (const event of eventsOf(server, id)) if (event.window !== undefined) return event
  throw new Error('the job ended without a window')
}

/** When it has ended: its windows, and what it ended in. */
export async function outcomeOf(server: Pick<Server, 'url'>, id: string) {
  // A job that has ended tells all of it once more.
  const events = await Array.fromAsync(eventsOf(server, id))
  // Without their numbers: that it was begun again is told between them. And while it is decoded, its length grows.
  const windows = events.flatMap(({ window, processed_seconds: endsAt = 0, segments }) =>
    window === undefined ? [] : [{ window, endsAt, segments }],
  )
  const response = await fetch(`${server.url}/v1/jobs/${id}/result?format=verbose_json`)
  return { windows, end: events.at(-1), status: response.status, result: (await response.json()) as Result }
}

interface Result {
  readonly text: string
  readonly duration: number
  readonly segments: unknown
}

/** One number of the metrics, summed over its labels. */
export async function metricOf({ url }: Pick<Server, 'url'>, name: string): Promise<number> {
  const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n')
  return lines
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}
