/**
 * The room of jobs, built out of the settings: where jobs are kept, where their recordings lie, who works on them, what is
 * swept and who is told. It chooses, as main.ts does; it decides nothing itself.
 */
import { mkdir, rm } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { STEPS } from './afterwards/steps.ts'
import type { Config } from './config.ts'
import { joinCheckpoints } from './engine/checkpoints.ts'
import { Failure } from './failure.ts'
import { type FetchLimits, fetchLimitsOf } from './fetching/fetch-limits.ts'
import { fetchRecording, requireFetchable } from './fetching/fetch-recording.ts'
import { post } from './fetching/post.ts'
import type { BullBoard, JobParts, Parts } from './http/parts.ts'
import type { Blobs } from './jobs/blobs.ts'
import { diskBlobs } from './jobs/disk-blobs.ts'
import { beforeEndOf } from './jobs/before-end.ts'
import { JobDesk } from './jobs/job-desk.ts'
import type { JobInput } from './jobs/job.ts'
import type { JobQueue } from './jobs/job-queue.ts'
import { watchQueue } from './jobs/queue-watch.ts'
import type { RunnerParts } from './jobs/runner.ts'
import { type Retention, startRetention } from './jobs/retention.ts'
import { type Runner, startRunner } from './jobs/runner.ts'
import { s3Blobs } from './jobs/s3-blobs.ts'
import { s3ClientOf } from './jobs/s3-client.ts'
import { createS3Exchange, requireS3, type S3Exchange } from './jobs/s3-exchange.ts'
import { requireReadable, resultKeys, type S3Places } from './jobs/s3-path.ts'
import { openSqliteQueue } from './jobs/sqlite/queue.ts'
import { startTelling, type Telling } from './jobs/telling.ts'
import type { Log } from './log.ts'
import type { Transcriber } from './transcriber.ts'
import type { DiskRoom } from './upload/disk-room.ts'
import type { Uploads } from './uploads/uploads.ts'

export interface JobRoomParts {
  readonly config: Config
  readonly log: Log
  readonly spoolDir: string
  readonly disk: DiskRoom
  readonly uploads: Uploads
  /** Told how each job ended that was worked on here. */
  readonly onJobEnded?: (outcome: 'completed' | 'failed') => void
}

export interface JobRoom extends AsyncDisposable {
  /** For the routes. */
  readonly jobs: JobParts
  readonly fetchRecording: Parts['fetchRecording']
  /** Jobs are worked on from now on, by this road. */
  start(transcriber: Transcriber): Runner
  /** For whoever hands in jobs without a request, and for those who tell of themselves. */
  readonly blobs: Blobs
  readonly isQueueReachable: () => boolean
  readonly bullBoard: BullBoard | undefined
}

const PUBLIC_PORTS = [80, 443]
const S3_PREFIX = 'hviske/'

/** @throws Error for the operator */
export async function openJobRoom(parts: JobRoomParts): Promise<JobRoom> {
  const { config, log } = parts
  await using undo = new AsyncDisposableStack()
  const queue = undo.use(await openQueue(config, log))
  const bullBoard = await openBullBoard(config, undo)
  const watch = undo.use(watchQueue({ queue, log }))
  const store = storeOf(config, undo)
  const blobs = await openBlobs(config, store)
  const limits = limitsOf(parts)
  const { jobSecondsKept: keptSeconds, maxJobBytes: maxBytes } = config
  const keeping = { queue, blobs, keptSeconds, maxBytes, nowMs: Date.now, log }
  const retention = undo.use(startRetention(keeping))
  const telling = tellingOf({ queue, blobs, limits }, config, log)
  if (telling !== undefined) undo.use(telling)
  const inside = { queue, blobs, store, limits, retention, telling }
  const held = undo.move()
  return {
    jobs: jobPartsOf(parts, inside),
    fetchRecording: config.allowsUrls
      ? (url, path, signal) => fetchRecording(url, path, limits, signal)
      : undefined,
    blobs,
    isQueueReachable: () => watch.isReachable(),
    bullBoard,
    start: (transcriber) => startRunner(runnerParts(parts, inside, transcriber)),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

interface Inside {
  readonly queue: JobQueue
  readonly blobs: Blobs
  readonly store: Store | undefined
  readonly limits: FetchLimits
  readonly retention: Retention
  /** Absent: nobody is told. */
  readonly telling: Telling | undefined
}

interface Store {
  readonly exchange: S3Exchange
  readonly places: S3Places
  readonly client: ReturnType<typeof s3ClientOf>
}

/** Redis' client and BullMQ are loaded only where they are wanted. */
async function openQueue(config: Config, log: Log): Promise<JobQueue> {
  const { dataDir, queueUrl: url, queuePrefix: prefix } = config
  const leaseMs = config.jobLeaseSeconds * 1000
  warnOfRole(config, log)
  if (url !== undefined) {
    const { openBullQueue } = await import('./jobs/bullmq/open.ts')
    // Who is gone is found by the second of two looks.
    return openBullQueue({ url, prefix, log, lockMs: leaseMs, sweepMs: leaseMs / 2 })
  }
  const directory = join(dataDir, 'jobs')
  await mkdir(directory, { recursive: true, mode: 0o700 })
  return openSqliteQueue({ path: join(directory, 'jobs.sqlite'), log, leaseMs })
}

function warnOfRole({ role, queueUrl, jobStorage, dataDir }: Config, log: Log): void {
  if (queueUrl !== undefined && jobStorage !== 's3') {
    log.warn(
      'QUEUE_URL is set, but JOB_STORAGE is not s3: recordings and results lie in DATA_DIR, so servers on other machines will not find them, and jobs will fail with recording_gone',
      { dataDir },
    )
  }
  if (queueUrl === undefined && role !== 'all') {
    log.warn(
      'QUEUE_URL is not set: api and workers find each other only on one machine, with the same DATA_DIR, and where each sees the processes of the others',
      { role, dataDir },
    )
  }
}

async function openBullBoard(
  { queueUrl: url, queuePrefix: prefix, role }: Config,
  undo: AsyncDisposableStack,
): Promise<BullBoard | undefined> {
  if (url === undefined || role === 'worker') return undefined
  const { openTicketLines } = await import('./jobs/bullmq/board.ts')
  const { bullBoardKey, bullBoardRoutes } = await import('./http/admin/bull-board.ts')
  const { queues } = undo.use(openTicketLines({ url, prefix }))
  return { key: bullBoardKey, routes: bullBoardRoutes(queues) }
}

function storeOf({ s3, jobStorage }: Config, undo: AsyncDisposableStack): Store | undefined {
  if (!s3.accessKeyId || !s3.secretAccessKey || !s3.bucket) {
    if (jobStorage === 's3') requireS3(s3, 's3_path')
    return undefined
  }
  const settings = requireS3(s3, 's3_path')
  const client = s3ClientOf(settings)
  undo.defer(() => client.destroy())
  const places = { bucket: settings.bucket, ownPrefix: S3_PREFIX }
  return { client, places, exchange: createS3Exchange(client, places) }
}

function openBlobs({ dataDir, jobStorage }: Config, store: Store | undefined): Promise<Blobs> {
  if (jobStorage === 'disk' || store === undefined) return diskBlobs(join(dataDir, 'blobs'))
  return Promise.resolve(s3Blobs({ client: store.client, bucket: store.places.bucket, prefix: S3_PREFIX }))
}

function limitsOf({ config, disk }: JobRoomParts): FetchLimits {
  return fetchLimitsOf({
    allowedNetworks: config.urlAllowedNetworks,
    ports: PUBLIC_PORTS,
    maxBytes: config.maxUploadBytes,
    disk,
    totalSeconds: config.urlFetchSeconds,
  })
}

function jobPartsOf({ config, spoolDir, uploads }: JobRoomParts, inside: Inside): JobParts {
  const { queue, blobs, store, limits, retention, telling } = inside
  const never = new AbortController().signal
  return {
    queue,
    desk: new JobDesk({
      queue,
      blobs,
      nowMs: Date.now,
      requireRoom: (bytes) => retention.requireRoom(bytes),
    }),
    keptSeconds: config.jobSecondsKept,
    afterwards: new Set(config.languageModel === undefined ? [] : STEPS),
    nowMs: Date.now,
    onEnd: telling?.ended,
    storedBytes: () => retention.stored()?.bytes,
    requireUrlAllowed: config.allowsUrls ? (url) => requireFetchable(url, limits, never) : undefined,
    requireS3Source: (bucket, key) => {
      requireS3(config.s3, 'url')
      if (store !== undefined) requireReadable({ bucket, key }, store.places)
    },
    requireS3Path: (path) => {
      requireS3(config.s3, 's3_path')
      if (store !== undefined) resultKeys(path, store.places)
    },
    requireCallbackAllowed:
      config.webhookSecret === undefined ? undefined : (url) => requireFetchable(url, limits, never),
    takeUpload: (id, owner, signal) => uploads.take(id, owner, spoolDir, signal),
  }
}

function runnerParts(
  { config, log, spoolDir, onJobEnded }: JobRoomParts,
  { queue, blobs, store, limits, retention, telling }: Inside,
  transcriber: Transcriber,
): RunnerParts {
  return {
    queue,
    blobs,
    transcriber,
    directory: spoolDir,
    joinCheckpoints,
    beforeJob: () => retention.forgetExpired(),
    onEnd: (id) => telling?.ended(id),
    onWritten: onJobEnded,
    atOnce: { interactive: config.jobsAtOnce, batch: config.jobsAtOnce },
    fetchInput: (input, directory, signal) =>
      fetched(directory, (path) => fetchInput(input, path, { config, store, limits }, signal)),
    beforeEnd: beforeEndOf({
      blobs,
      languageModel: config.languageModel,
      deliver: store && ((...wanted) => store.exchange.deliver(...wanted)),
      log,
    }),
    log,
  }
}

/** In a directory of its own, which goes with it. */
async function fetched(directory: string, fetchTo: (path: string) => Promise<{ readonly path: string }>) {
  const own = join(directory, randomUUID())
  const dispose = () => rm(own, { recursive: true, force: true })
  try {
    await mkdir(own, { recursive: true, mode: 0o700 })
    const { path } = await fetchTo(join(own, 'recording'))
    return { path, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

/** The settings may have changed since the job was handed in. */
function fetchInput(
  input: Exclude<JobInput, { kind: 'blob' }>,
  path: string,
  { config, store, limits }: { readonly config: Config } & Pick<Inside, 'store' | 'limits'>,
  signal: AbortSignal,
) {
  if (input.kind === 's3') {
    requireS3(config.s3, 'url')
    if (store === undefined) throw new Error('the settings name an S3 store, and none is open')
    return store.exchange.fetchObject(input, path, limits, signal)
  }
  if (config.allowsUrls) return fetchRecording(input.url, path, limits, signal)
  const message = 'The url may not be fetched: this server fetches none any more.'
  throw new Failure('url_not_allowed', message, { param: 'url' })
}

function tellingOf(
  { limits, ...kept }: Pick<Inside, 'queue' | 'blobs' | 'limits'>,
  { webhookSecret: secret }: Config,
  log: Log,
): Telling | undefined {
  if (secret === undefined) return undefined
  return startTelling({
    ...kept,
    secret,
    post: (url, letter, within) => post(url, letter, limits, within),
    nowMs: Date.now,
    random: Math.random,
    log,
  })
}
