/**
 * Reads the settings, builds the parts, listens, shuts down in order. The only place that chooses who works with whom;
 * it decides nothing about speech or HTTP.
 */
import './young-generation.ts'
import { once } from 'node:events'
import packageJson from '../package.json' with { type: 'json' }
import { join } from 'node:path'
import { createApp } from './app.ts'
import { type Config, readConfig } from './config.ts'
import { FAILURES } from './failure.ts'
import type { EndingServer } from './http/ending-server.ts'
import { CONNECTION_TIMES, createHttpServer } from './http/listener.ts'
import { openJobRoom } from './job-room.ts'
import type { Runner } from './jobs/runner.ts'
import { createJoiningTranscriber } from './joining/joining-transcriber.ts'
import { KeyRing } from './keys/key-ring.ts'
import { createChargingTranscriber } from './limits/charging-transcriber.ts'
import { ClientLimits } from './limits/client-limits.ts'
import { FailedKeys } from './limits/failed-keys.ts'
import { createLog, type Log } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { openRoad } from './road.ts'
import { createEndingTranscriber, Ending, shutDown, type ShutdownTimes } from './shutdown.ts'
import { openSpool } from './spool.ts'
import { Collector } from './tracing/collector.ts'
import { type DiskRoom, diskRoomOf } from './upload/disk-room.ts'
import { Uploads } from './uploads/uploads.ts'

/** After a bug, for deleting files and ending the child. */
const CLEAN_UP_MS = 10_000
/** npm passes a Ctrl-C on to us that the terminal has given us already: one wish, two signals. */
const SAME_WISH_MS = 1000

/** Returns when a signal has asked for the end and everything is closed. @throws Error for the operator. */
async function run(config: Config, log: Log): Promise<void> {
  const stopRequested = untilStopRequested(log)
  const broken = untilBroken(log)
  const ending = new Ending()
  const keys = await openKeys(config, log)
  await using spool = await openSpool(config.dataDir)
  const metrics = createMetrics(Object.keys(FAILURES))
  const disk = diskRoomOf(spool.path, config.diskReserveBytes)
  using uploads = await openUploads(config, disk)
  const onJobEnded = (outcome: 'completed' | 'failed') => metrics.jobsEnded.add(1, { outcome })
  await using room = await openJobRoom({ config, log, spoolDir: spool.path, disk, uploads, onJobEnded })
  await using road = await openRoad(config, { log, metrics, spoolDir: spool.path, room, ending })
  const clientLimits = clientLimitsOf(config)
  const transcriber = createChargingTranscriber(road.transcriber, clientLimits)
  // Ends before the engine does: then nothing is cut off in the middle that nobody waits for any more.
  await using joining = createJoiningTranscriber({ transcriber, directory: spool.path, log })
  await using collector = collectorOf(config, log)
  const app = createApp({
    config,
    log,
    metrics,
    spoolDir: spool.path,
    disk,
    uploads,
    jobs: room.jobs,
    fetchRecording: room.fetchRecording,
    isQueueReachable: room.isQueueReachable,
    bullBoard: room.bullBoard,
    engineState: road.engineState,
    queueState: road.queueState,
    workers: road.workers,
    requireRoom: (owner, tier) => {
      ending.begun.throwIfAborted()
      // It may be the retry that joins what is there. If not, the road has no room for it.
      if (!joining.awaits(owner)) road.requireRoom(tier)
    },
    transcriber: createEndingTranscriber(joining, ending),
    ending: ending.cut,
    keys,
    failedKeys: new FailedKeys(config.maxFailedKeysPerMinute),
    limits: clientLimits,
    ...(collector !== undefined && { sendSpans: (spans) => collector.send(spans) }),
  })

  const server = await listen(app, config, { log, metrics })
  log.info('listening', { url: reachableUrl(server, config.host) })
  await using jobs = workOnJobs(config, () => room.start(transcriber), ending)
  try {
    // A model that cannot be loaded ends the wait by throwing; after that a signal does, or a GPU that is gone.
    const working = road
      .start()
      .then(jobs.begin)
      .then(() => stopRequested)
    const why = await Promise.race([stopRequested, working, road.lost.catch(toError), broken])
    const times = shutdownTimes(config, why)
    await Promise.race([Promise.all([shutDown(server, ending, times, log), jobs.parked]), broken])
    if (why instanceof Error) throw why
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

async function openKeys({ apiKeys, keysFile }: Config, log: Log): Promise<KeyRing> {
  const keys = await KeyRing.open({ fixed: apiKeys, file: keysFile, log })
  if (!keys.isAsking) {
    log.warn('no API key is set (API_KEYS, npm run keys): whoever can reach this server may use it')
  }
  return keys
}

/** Jobs are worked on when the model is there. They need not wait for the end of anything: they survive it. */
function workOnJobs({ role }: Config, start: () => Runner, { begun, cut }: Ending) {
  let runner: Runner | undefined
  const parked = Promise.withResolvers<void>()
  begun.addEventListener('abort', () => parked.resolve(runner?.park(cut)), { once: true })
  return {
    begin: () => {
      if (!begun.aborted && role !== 'api') runner = start()
    },
    parked: parked.promise,
    [Symbol.asyncDispose]: async () => runner?.[Symbol.asyncDispose](),
  }
}

/** Beside the spool, which is emptied when a server ends: whoever was cut off goes on with the next one. */
function openUploads(
  { dataDir, maxUploadBytes, uploadSecondsKept }: Config,
  disk: DiskRoom,
): Promise<Uploads> {
  return Uploads.open({
    directory: join(dataDir, 'uploads'),
    lifetimeSeconds: uploadSecondsKept,
    maxBytes: maxUploadBytes,
    disk,
    nowMs: Date.now,
  })
}

function clientLimitsOf(config: Config): ClientLimits {
  return new ClientLimits({
    requestsPerMinute: config.maxRequestsPerMinute,
    concurrentRequests: config.maxRequestsAtOnce,
    audioSecondsPerDay: config.maxAudioSecondsPerDay,
  })
}

function collectorOf({ tracesEndpoint, serviceName }: Config, log: Log): Collector | undefined {
  if (tracesEndpoint === undefined) return undefined
  const service = { name: serviceName, version: packageJson.version }
  return new Collector({ endpoint: tracesEndpoint, service, log })
}

/** @throws Error when the port is taken or the address is not ours. */
async function listen(
  app: ReturnType<typeof createApp>,
  { host, port }: Config,
  { log, metrics }: { log: Log; metrics: Metrics },
): Promise<EndingServer> {
  const server = createHttpServer(app.fetch, log, { ...CONNECTION_TIMES, metrics })
  server.listen(port, host)
  await once(server, 'listening')
  return server
}

/** An address that can be pasted into a browser on this machine: the wildcard is none. */
function reachableUrl(server: EndingServer, host: string): string {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port')
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${address.port}`
}

type StopSignal = 'SIGINT' | 'SIGTERM'

/** Who presses Ctrl-C has no balancer in front of us; a GPU that is gone waits for none. */
function shutdownTimes({ shutdownDelaySeconds, drainSeconds }: Config, why: unknown): ShutdownTimes {
  return { delayMs: why === 'SIGTERM' ? shutdownDelaySeconds * 1000 : 0, drainMs: drainSeconds * 1000 }
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
function untilStopRequested(log: Log): Promise<StopSignal> {
  const { promise, resolve } = Promise.withResolvers<StopSignal>()
  let first: { signal: StopSignal; atMs: number } | undefined
  const stop = (signal: StopSignal) => {
    const isSameWish = first?.signal === signal && Date.now() - first.atMs < SAME_WISH_MS
    if (first !== undefined && !isSameWish) process.exit(1)
    if (first !== undefined) return
    first = { signal, atMs: Date.now() }
    log.info('shutting down: running requests may finish; the same signal again ends at once', { signal })
    resolve(signal)
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return promise
}

/**
 * Rejects when an error came that nobody caught. What it has left half done nobody knows, so the server does not limp on: it
 * cuts off what runs, deletes its files, ends its child and itself, and whoever started it starts it anew.
 */
function untilBroken(log: Log): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  promise.catch(() => {}) // it may come before anybody waits
  // Of a promise that nobody awaited, too: that is Node's own rule.
  process.on('uncaughtException', (error, origin) => {
    log.error('a bug: an error that nobody caught ends the server', { error, origin })
    setTimeout(() => process.exit(1), CLEAN_UP_MS).unref()
    reject(error)
  })
  // Whoever read our log has gone; the server has not.
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
  return promise
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

/** One line a problem, for a person: whoever starts the server reads this before any log. */
function exitWith(error: unknown): never {
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`hviske-api cannot go on: ${message}\n`)
  process.exit(1)
}

function configOrExit(): Config {
  try {
    return readConfig()
  } catch (error) {
    return exitWith(error)
  }
}

const config = configOrExit()
await run(config, createLog(config.logLevel)).catch(exitWith)
process.exit(0)
