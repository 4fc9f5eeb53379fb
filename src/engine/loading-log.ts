/** Tells the log how far a model has been loaded, often enough to watch and seldom enough to read. */
import type { Log } from '../log.ts'
import type { LoadingMessage } from './protocol.ts'

const QUIET_MS = 2000

/** For people: `warming up: first inference`. */
export function describeLoading({ stage, message }: LoadingMessage): string {
  return `${stage.replace('_', ' ')}: ${message}`
}

/** A line when the stage changes, otherwise at most one every two seconds. */
export function loadingLog(log: Log, nowMs: () => number): (progress: LoadingMessage) => void {
  let lastStage: string | undefined
  let lastMs = Number.NEGATIVE_INFINITY
  return (progress) => {
    const { stage, fraction } = progress
    if (stage === lastStage && nowMs() - lastMs < QUIET_MS) return
    lastStage = stage
    lastMs = nowMs()
    const percent = fraction === null ? '' : ` ${Math.floor(fraction * 100)} %`
    log.info(`${describeLoading(progress)}${percent}`, { stage, fraction })
  }
}
