// One api and two workers, each with a directory of its own: Redis has the jobs, an S3 store has the recordings.
import OpenAI, { toFile } from 'openai'
import { expect, test } from 'vitest'
import { plainWords, repeated, truthOf } from '../end-to-end/server.ts'
import { REDIS } from '../jobs/redis-server.ts'
import {
  clip,
  firstWindow,
  metricOf,
  outcomeOf,
  type Server,
  startServer,
  submit,
  temporaryDirectory,
} from './servers.ts'
import { startStores } from './stores.ts'

test.skipIf(REDIS === undefined)(
  'an api without an engine answers by its workers, and when one is killed the other goes on after its last window',
  { timeout: 180_000 },
  async () => {
    const { redis, settings: shared } = await startStores()
    const directories = await Promise.all([1, 2, 3].map(temporaryDirectory))
    const [apiDirectory = '', ...workerDirectories] = directories
    const nothing = { PYTHON_PATH: '/nonexistent/python', FFMPEG_PATH: '/nonexistent/ffmpeg' }
    const api = await startServer(apiDirectory, { ...shared, ...nothing, ROLE: 'api' })

    // Nobody works yet, and that is what it says; who comes now is not sent away.
    expect((await fetch(`${api.url}/readyz`)).status).toBe(200)
    expect(await healthOf(api)).toMatchObject({ status: 'waiting', model_loaded: false })
    const openai = new OpenAI({ baseURL: `${api.url}/v1`, apiKey: 'none', maxRetries: 0 })
    const danish = await toFile(await (await clip('da.wav')).arrayBuffer(), 'da.wav')
    const early = openai.audio.transcriptions.create({ model: 'whisper-1', file: danish, language: 'da' })
    const workers = await Promise.all(
      workerDirectories.map((directory) => startServer(directory, { ...shared, ROLE: 'worker' })),
    )

    const truth = plainWords((await truthOf('da')).text)
    expect(plainWords((await early).text)).toEqual(truth)
    const stream = await openai.audio.transcriptions.create({
      model: 'whisper-1',
      file: danish,
      language: 'da',
      stream: true,
    })
    const events = await Array.fromAsync(stream)
    const deltas = events.map((event) => (event.type === 'transcript.text.delta' ? event.delta : ''))
    const done = events.at(-1)
    expect(done?.type === 'transcript.text.done' && plainWords(done.text)).toEqual(truth)
    expect(plainWords(deltas.join(''))).toEqual(truth)
    await expect.poll(() => healthOf(api)).toMatchObject({ status: 'healthy', device: 'cpu' })
    // Of what was answered nothing is left.
    await expect.poll(() => jobsOf(api)).toEqual(0)

    // The lines of tickets are to be looked at, and nothing warns of a store that others cannot see.
    const page = await fetch(`${api.url}/admin/bull`)
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('hviske-api')
    expect(api.lines.join('\n')).not.toContain('QUEUE_URL')

    // Workers take no requests, and say who does.
    const refused = await fetch(`${workers[0]?.url}/v1/models`)
    expect(refused.status).toBe(404)
    expect(await refused.text()).toContain('ROLE=api')
    for (const worker of workers) await expect.poll(() => readinessOf(worker)).toBe(200)

    // Whoever hangs up takes its job along.
    const recording = await repeated('long.wav', 2)
    const leaving = new AbortController()
    const left = openai.audio.transcriptions
      .create({ model: 'whisper-1', file: await toFile(recording, 'long.wav') }, { signal: leaving.signal })
      .catch((error: unknown) => error)
    await expect.poll(() => jobsOf(api)).toBe(1)
    leaving.abort()
    await left
    await expect.poll(() => jobsOf(api)).toBe(0)

    const undisturbed = await outcomeOf(api, await submit(api, recording))
    expect(undisturbed).toMatchObject({ status: 200, end: { status: 'completed' } })
    const id = await submit(api, recording)
    const heardFirst = (await firstWindow(api, id)).processed_seconds ?? 0
    const [victim, survivor] = await byWork(workers)
    const heardBefore = await metricOf(survivor, 'hviske_heard_seconds_total')
    await victim.kill('SIGKILL')
    const interrupted = await outcomeOf(api, id)

    expect(interrupted).toMatchObject({ status: 200, end: { status: 'completed' } })
    expect(interrupted.result.text).toBe(undisturbed.result.text)
    expect(interrupted.result.segments).toEqual(undisturbed.result.segments)
    // Each window is told once, as if nothing had happened.
    expect(interrupted.windows).toEqual(undisturbed.windows)
    expect(survivor.lines.join('\n')).toContain(`"job":"${id}","attempt":2`)
    // What the victim had heard the survivor has not heard again.
    const heard = (await metricOf(survivor, 'hviske_heard_seconds_total')) - heardBefore
    expect(heard).toBeGreaterThan(0)
    expect(heard).toBeLessThan(interrupted.result.duration - heardFirst + 0.01)

    // Without its queue an api lives, and sends nobody here.
    await redis.end('SIGKILL')
    await expect.poll(() => readinessOf(api)).toBe(503)
    expect((await fetch(`${api.url}/livez`)).status).toBe(200)
    await expect(
      openai.audio.transcriptions.create({ model: 'whisper-1', file: danish }),
    ).rejects.toMatchObject({
      status: 503,
      code: 'queue_unreachable',
    })
    await redis.start()
    await expect.poll(() => readinessOf(api)).toBe(200)
  },
)

async function healthOf({ url }: Server): Promise<unknown> {
  return (await fetch(`${url}/health`)).json()
}

async function readinessOf({ url }: Server): Promise<number> {
  return (await fetch(`${url}/readyz`)).status
}

/** In whatever state. */
function jobsOf(server: Server): Promise<number> {
  return metricOf(server, 'hviske_jobs')
}

/** Who works on something first. */
async function byWork(workers: readonly Server[]): Promise<[Server, Server]> {
  const [one, other] = workers
  if (one === undefined || other === undefined) throw new Error('there are two workers')
  const health = (await healthOf(one)) as { queue: { active: number } }
  return health.queue.active > 0 ? [one, other] : [other, one]
}
