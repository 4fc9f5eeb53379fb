/**
 * What is told of a recording's way while it goes it: figures, never what was said. It measures the times; who listens,
 * and what for, is not known here.
 */
import type { EngineDone } from './engine/events.ts'
import type { Task } from './transcript.ts'

export type RoadTask = Task | 'detect_language'

/** None of these throws. */
export interface RoadObserver {
  /** So long for ffmpeg or for the engine, whether the turn came or was not wanted any more. */
  readonly waited: (queue: 'decoding' | 'engine', seconds: number) => void
  /** ffmpeg has come to the end of the recording. */
  readonly decoded: (seconds: number) => void
  /** So much more of the recording has been heard. */
  readonly heard: (audioSeconds: number) => void
  /** The engine is through with it, well or not. */
  readonly worked: (task: RoadTask, seconds: number) => void
  /** It was transcribed to its end; so much of it now, and not before in another process. */
  readonly done: (done: EngineDone, engineSeconds: number, audioSeconds: number) => void
}

/** Tells several observers of one recording; without any it does nothing. */
export class RoadReport {
  readonly #observers: readonly RoadObserver[]
  readonly #nowMs: () => number
  #heardSeconds = 0
  #heardBeforeSeconds = 0

  constructor(observers: readonly (RoadObserver | undefined)[], nowMs: () => number) {
    this.#observers = observers.filter((observer) => observer !== undefined)
    this.#nowMs = nowMs
  }

  async waiting<Turn>(queue: 'decoding' | 'engine', turn: Promise<Turn>): Promise<Turn> {
    const secondsSince = this.stopwatch()
    try {
      return await turn
    } finally {
      const seconds = secondsSince()
      for (const observer of this.#observers) observer.waited(queue, seconds)
    }
  }

  decoded(seconds: number): void {
    for (const observer of this.#observers) observer.decoded(seconds)
  }

  /** So much of it, from its beginning, and not here. */
  heardBefore(audioSeconds: number): void {
    this.#heardSeconds = audioSeconds
    this.#heardBeforeSeconds = audioSeconds
  }

  /** So much of it, from its beginning. */
  heardUpTo(audioSeconds: number): void {
    const more = audioSeconds - this.#heardSeconds
    if (more <= 0) return
    this.#heardSeconds = audioSeconds
    for (const observer of this.#observers) observer.heard(more)
  }

  /** Disposed of when the engine is through with it. */
  working(task: RoadTask): Disposable & { done(done: EngineDone): void } {
    const secondsSince = this.stopwatch()
    return {
      done: (done) => {
        const seconds = secondsSince()
        const audioSeconds = done.durationSeconds - this.#heardBeforeSeconds
        for (const observer of this.#observers) observer.done(done, seconds, audioSeconds)
      },
      [Symbol.dispose]: () => {
        const seconds = secondsSince()
        for (const observer of this.#observers) observer.worked(task, seconds)
      },
    }
  }

  stopwatch(): () => number {
    const beganMs = this.#nowMs()
    return () => (this.#nowMs() - beganMs) / 1000
  }
}
