/**
 * How long a pile of recordings takes with one, two and three workers on this machine, and with a server that does it all.
 *
 *   npm run bench:jobs -- --recordings 16 --out bench/results/jobs-scaling.json
 *
 * Real processes: an api, workers with a directory each, Redis, an S3 server. The model is the tests' tiny one, with one thread
 * for each worker. `ownCores` is what all of this had of the processors, `othersCores` what somebody else took meanwhile.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startRedis } from '../../test/jobs/redis-server.ts'
import { startS3 } from '../../test/jobs/s3-server.ts'
import { machine, ROOT } from '../size/server.ts'
import { watchCores } from './cpu-time.ts'
import { type JobServer, startJobServer } from './job-server.ts'

const { values } = parseArgs({
  options: {
    recordings: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '2' },
    workers: { type: 'string', default: '1,2,3' },
    note: { type: 'string', default: '' },
    out: { type: 'string' },
  },
})

const RECORDING = 'test/audio/long.wav'
const recordings = Number(values.recordings)
const bytes = await readFile(join(ROOT, RECORDING))
const PER_WORKER = { JOBS_AT_ONCE: '2', SLOTS: '4', OMP_NUM_THREADS: '1' }

interface Job {
  readonly status: string
  readonly attempts: number
  readonly duration_seconds: number
  readonly started_at: number
  readonly created_at: number
  readonly ended_at: number
}

async function submit(url: string): Promise<string> {
  const body = new FormData()
  body.append('file', new Blob([bytes]), 'long.wav')
  body.append('language', 'da')
  const response = await fetch(`${url}/v1/jobs`, { method: 'POST', body })
  if (response.status !== 202) throw new Error(`${response.status} ${await response.text()}`)
  return ((await response.json()) as { id: string }).id
}

/** Until it has ended. */
async function ended(url: string, id: string): Promise<Job> {
  await (await fetch(`${url}/v1/jobs/${id}/events`)).text()
  const job = (await (await fetch(`${url}/v1/jobs/${id}`)).json()) as Job
  if (job.status !== 'completed') throw new Error(`a job ended as ${job.status}`)
  return job
}

async function texts(url: string, ids: readonly string[]): Promise<number> {
  const all = await Promise.all(
    ids.map(async (id) => (await fetch(`${url}/v1/jobs/${id}/result?format=text`)).text()),
  )
  return new Set(all).size
}

async function measure(url: string) {
  const cores = watchCores()
  const began = performance.now()
  const ids = await Promise.all(Array.from({ length: recordings }, () => submit(url)))
  const submitted = performance.now()
  const jobs = await Promise.all(ids.map((id) => ended(url, id)))
  const wallSeconds = (performance.now() - began) / 1000
  const used = cores()
  const audioSeconds = jobs.reduce((sum, job) => sum + job.duration_seconds, 0)
  return {
    wallSeconds: rounded(wallSeconds),
    submitSeconds: rounded((submitted - began) / 1000),
    audioSeconds: rounded(audioSeconds),
    timesRealTime: rounded(audioSeconds / wallSeconds),
    ...used,
    begunTwice: jobs.filter(({ attempts }) => attempts > 1).length,
    differentTexts: await texts(url, ids),
  }
}

async function readyAll(servers: readonly JobServer[]): Promise<void> {
  for (const { url } of servers) while (!(await fetch(`${url}/readyz`)).ok) await sleep(100)
}

async function warmAndMeasure(url: string) {
  await ended(url, await submit(url))
  return measure(url)
}

async function withWorkers(count: number) {
  await using undo = new AsyncDisposableStack()
  const redis = undo.use(await startRedis())
  const { settings } = undo.use(await startS3())
  const shared = {
    QUEUE_URL: redis.url,
    JOB_STORAGE: 's3',
    AWS_ACCESS_KEY_ID: settings.accessKeyId,
    AWS_SECRET_ACCESS_KEY: settings.secretAccessKey,
    S3_STORAGE_BUCKET: settings.bucket,
    S3_ENDPOINT_URL: settings.endpointUrl,
  }
  const api = undo.use(await startJobServer({ ...shared, ROLE: 'api' }))
  const workers = await Promise.all(
    Array.from({ length: count }, () => startJobServer({ ...shared, ...PER_WORKER, ROLE: 'worker' })),
  )
  for (const worker of workers) undo.use(worker)
  await readyAll(workers)
  return { what: 'api, Redis, S3', workers: count, ...(await warmAndMeasure(api.url)) }
}

async function allInOne() {
  await using server = await startJobServer(PER_WORKER)
  await readyAll([server])
  return { what: 'one server, SQLite, directory', workers: 1, ...(await warmAndMeasure(server.url)) }
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}

/** There and back, so that what changes slowly about the machine does not look like a difference. */
const forth = [allInOne, ...values.workers.split(',').map((count) => () => withWorkers(Number(count)))]
const runs = []
for (let round = 0; round < Number(values.rounds); round += 1) {
  for (const run of round % 2 === 0 ? forth : forth.toReversed()) {
    runs.push(await run())
    console.log(JSON.stringify(runs.at(-1)))
  }
}
const report = {
  what: `${recordings} jobs of ${RECORDING}, from the first upload to the last end; ${availableParallelism()} cores for everything`,
  note: values.note,
  machine: machine(),
  settings: { model: 'models/tiny-da', device: 'cpu', ...PER_WORKER },
  runs,
}
if (values.out !== undefined) await writeFile(values.out, `${JSON.stringify(report, null, 2)}\n`)
