/** Turns what the road, the engine's children and the machine tell into metrics. It knows their names for things, and measures nothing itself. */
import type { EnginePulse } from './engine/state.ts'
import type { Metrics } from './metrics.ts'
import type { RoadObserver } from './road-observer.ts'

export function measureRoad(metrics: Metrics): RoadObserver {
  return {
    waited: (queue, seconds) => metrics.waitSeconds.observe(seconds, { queue }),
    decoded: (seconds) => metrics.decodeSeconds.observe(seconds, {}),
    heard: (audioSeconds) => metrics.heardSeconds.add(audioSeconds, {}),
    worked: (task, seconds) => metrics.engineSeconds.observe(seconds, { task }),
    done: ({ durationSeconds, windows, timings, dropped, warnings }, engineSeconds, audioSeconds) => {
      metrics.recordings.add(1, {})
      metrics.recordingSeconds.observe(durationSeconds, {})
      if (audioSeconds > 0) metrics.realTimeFactor.observe(engineSeconds / audioSeconds, {})
      metrics.windows.add(windows, {})
      metrics.slotWaitSeconds.observe(timings.waitedSeconds, {})
      metrics.modelSeconds.add(timings.vadSeconds, { stage: 'vad' })
      metrics.modelSeconds.add(timings.encodeSeconds, { stage: 'encode' })
      metrics.modelSeconds.add(timings.decodeSeconds, { stage: 'decode' })
      for (const { reason } of dropped) metrics.judged.add(1, { verdict: 'dropped', reason })
      for (const { reason } of warnings) metrics.judged.add(1, { verdict: 'warned', reason })
    },
  }
}

/** A child of the engine, as far as it is counted. */
interface Child {
  /** Rejects when it leaves before it is ready. */
  readonly ready: Promise<unknown>
  /** Never rejects. */
  readonly exited: Promise<unknown>
}

/** To be called with each child when it has been started. */
export function measureChildren(metrics: Metrics, nowMs = () => performance.now()) {
  return ({ ready, exited }: Child): void => {
    const startedMs = nowMs()
    let phase: 'loading' | 'ready' = 'loading'
    metrics.engineStarts.add(1, {})
    const becameReady = () => {
      phase = 'ready'
      metrics.loadSeconds.become([(nowMs() - startedMs) / 1000, {}])
    }
    void ready.then(becameReady, () => {}) // why it never was is told elsewhere
    void exited.then(() => metrics.engineExits.add(1, { phase }))
  }
}

/** To be called with each heartbeat. */
export function measurePulses(metrics: Metrics) {
  return ({ steps, slotSteps, windowsWaiting, gpu }: EnginePulse): void => {
    metrics.decoderSteps.set(steps, {})
    metrics.slotSteps.set(slotSteps, {})
    metrics.windowsWaiting.become([windowsWaiting, {}])
    metrics.gpuMemory.become(
      [gpu?.reservedBytes, { state: 'reserved' }],
      [gpu?.totalBytes, { state: 'total' }],
    )
  }
}
