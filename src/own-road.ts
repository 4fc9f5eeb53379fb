/**
 * The road of a server that has an engine: ffmpeg, the turns at it, the Python child. It chooses who works with whom, as
 * main.ts does, and is put away as one thing.
 */
import { decode } from './audio/decode.ts'
import { findFfmpeg } from './audio/ffmpeg.ts'
import { ISOLATION_MEANINGS } from './audio/isolation.ts'
import type { Config } from './config.ts'
import { modelArguments, workerCommand } from './engine/command.ts'
import { createEngine, type Engine } from './engine/engine.ts'
import type { EngineState } from './engine/state.ts'
import { Failure } from './failure.ts'
import type { Parts } from './http/parts.ts'
import type { Log } from './log.ts'
import { measureChildren, measurePulses, measureRoad } from './measuring.ts'
import type { Metrics } from './metrics.ts'
import { Admission } from './queue/admission.ts'
import type { Tier } from './queue/tiers.ts'
import { Workload } from './queue/workload.ts'
import { createTranscriber, type Transcriber } from './transcriber.ts'

/** What a recording goes by, wherever that leads. */
export interface Road extends AsyncDisposable {
  readonly transcriber: Transcriber
  readonly engineState: () => EngineState
  readonly queueState: Parts['queueState']
  /** @throws Failure for whoever finds no place on it */
  requireRoom(tier: Tier | undefined): void
  /** Resolves when jobs can be worked on. @throws Error, its message for the operator, when they never can. */
  start(): Promise<void>
  /** Rejects, its message for the operator, when this process can do nothing more for anybody. */
  readonly lost: Promise<never>
}

/** Each ffmpeg uses one core, and four keep any engine busy. */
const DECODES_AT_ONCE = 4

/** @throws Error for the operator */
export async function openOwnRoad(
  config: Config,
  { log, metrics, spoolDir }: { readonly log: Log; readonly metrics: Metrics; readonly spoolDir: string },
): Promise<Road> {
  const ffmpeg = await findFfmpeg(config)
  const { path, isolation } = ffmpeg
  const means = ISOLATION_MEANINGS[isolation]
  log[isolation === 'none' ? 'warn' : 'info'](`ffmpeg ${ffmpeg.version}`, { path, isolation, means })

  const command = workerCommand(config.pythonPath, modelArguments(config), spoolDir, config.cpuThreads)
  const measured = { onChild: measureChildren(metrics), onPulse: measurePulses(metrics) }
  const engine = createEngine({ command, log, ...measured })
  const limits = { directory: spoolDir, maxSeconds: config.maxAudioSeconds }
  const turns = openTurns(config, engine)
  const transcriber = createTranscriber({
    ...turns,
    decode: (from, signal) => decode(ffmpeg, from, limits, signal),
    engine,
    observer: measureRoad(metrics),
  })
  return {
    transcriber: translatingIfAble(transcriber, engine),
    engineState: () => engine.state(),
    queueState: () => queueState(turns),
    requireRoom: (tier) => turns.workload.requireRoom(tier),
    start: () => engine.start(),
    lost: engine.lost,
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  }
}

/** Where recordings wait on their way, and what is known of all of them. */
function openTurns(config: Config, engine: Pick<Engine, 'state'>) {
  const { maxConcurrentTranscriptions: places, realtimeReservedSlots: reservedForRealtime } = config
  const workload = new Workload({
    places,
    maxWaiting: config.failsFastWhenBusy ? 0 : config.maxQueueSize,
    reservedForRealtime,
    busyRetryAfterSeconds: config.busyRetryAfterSeconds,
    isWorking: () => engine.state().phase === 'ready',
    nowMs: () => performance.now(),
  })
  const decoding = new Admission({ places: DECODES_AT_ONCE, reservedForRealtime })
  const transcribing = new Admission({ places, reservedForRealtime })
  return { workload, decoding, transcribing }
}

/** What has not been measured is left out. */
function queueState({ decoding, transcribing, workload }: ReturnType<typeof openTurns>) {
  const waitSeconds = workload.waitSeconds()
  return {
    active: transcribing.state().active,
    waiting: transcribing.state().waiting + decoding.state().waiting,
    ...(waitSeconds !== undefined && { waitSeconds }),
  }
}

/** Whoever took the order may have had no engine to ask: a model that knows English only would write down what it hears. */
export function translatingIfAble(transcriber: Transcriber, engine: Pick<Engine, 'state'>): Transcriber {
  return {
    detectLanguage: (source, signal) => transcriber.detectLanguage(source, signal),
    transcribe: (source, options, signal) => {
      const state = engine.state()
      if (options.task === 'translate' && state.phase === 'ready' && !state.facts.canTranslate) {
        const message = 'The loaded model knows English only and cannot translate.'
        throw new Failure('translation_unsupported', message, { param: 'model' })
      }
      return transcriber.transcribe(source, options, signal)
    },
  }
}
