// Engines on our small bad children, what they are asked, and what was said.
import { onTestFinished } from 'vitest'
import { createEngine, type Engine } from '../../src/engine/engine.ts'
import type { EngineEvent, EngineRequest, PcmSource } from '../../src/engine/events.ts'
import type { Clock } from '../../src/engine/supervisor.ts'
import { child, SILENT, whole } from './children.ts'

/** Sleeps for no time at all, and remembers for how long. */
export function quickClock(): Clock & { sleptMs: number[] } {
  const sleptMs: number[] = []
  return { sleptMs, nowMs: Date.now, random: () => 0, sleep: async (ms) => void sleptMs.push(ms) }
}

/** Stopped when its test ends. */
export function engineOf(name: string, clock: Clock = quickClock(), log = SILENT): Engine {
  const stopDeadlines = { shutdownMs: 200, terminateMs: 200 }
  const engine = createEngine({ command: child(name), log, clock, stopDeadlines })
  onTestFinished(() => engine.stop())
  return engine
}

export function request(pcm: string | PcmSource, more: Partial<EngineRequest> = {}): EngineRequest {
  return {
    pcm: typeof pcm === 'string' ? whole(pcm) : pcm,
    task: 'transcribe',
    temperature: 0,
    wantsWords: false,
    wantsDeltas: false,
    wantsLogprobs: false,
    wantsGuards: true,
    ...more,
  }
}

export const segments = (events: readonly EngineEvent[]) =>
  events.flatMap((event) => (event.kind === 'segments' ? event.segments : []))

/** Joined segments, each after its number. */
export const numberedText = (events: readonly EngineEvent[]) =>
  segments(events)
    .map((segment) => `${segment.id}${segment.text}`)
    .join('|')
