/**
 * PCM that ffmpeg is still writing: how much of it can be read, when there is more, and whether it will ever be whole.
 * It does not know ffmpeg's options, nor which files are refused (decode.ts does).
 */
import { rm, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../until.ts'

/** 16 kHz, two bytes each. */
export const SAMPLES_PER_SECOND = 16_000
const BYTES_PER_SAMPLE = 2

/**
 * ffmpeg writes the file itself and we look at its size: an hour of audio costs us no measurable time. The same hour
 * through a pipe, to be told of every chunk, cost Node 0.3 to 2.4 s of its only thread; ffmpeg's own `-progress` has
 * no shorter period than 0.5 s before version 4.4.
 */
const LOOK_EVERY_MS = 100
/** Smaller steps are not announced: they would be many and of no use to an engine that reads windows of 30 s. */
const STEP_SAMPLES = 10 * SAMPLES_PER_SECOND

/** How much can be read: samples from the start, and whether that is all of them. */
export interface PcmExtent {
  readonly samples: number
  readonly isComplete: boolean
}

/** Decoded audio on disk, which may still grow. Disposing it ends the decoding and deletes the file. */
export interface PcmFile extends AsyncDisposable {
  readonly path: string
  /** What can be read now. */
  readonly extent: PcmExtent
  /** Resolves when ten seconds more than `known` can be read, or everything. @throws the signal's reason, or that of `broken`. */
  grownBeyond(known: PcmExtent, signal: AbortSignal): Promise<PcmExtent>
  /** Aborts when the rest will never come; its reason says why. */
  readonly broken: AbortSignal
  /** Resolves when nothing decodes any more, however it ended. */
  readonly ended: Promise<void>
}

export class GrowingPcm implements PcmFile {
  readonly path: string
  readonly ended: Promise<void>
  readonly #broken = new AbortController()
  readonly #givenUp = new AbortController()
  #extent: PcmExtent = { samples: 0, isComplete: false }
  #changed = Promise.withResolvers<void>()

  /** `write` resolves when the file is whole, and throws when it never will be; its signal ends it. */
  constructor(path: string, write: (signal: AbortSignal) => Promise<void>) {
    this.path = path
    this.ended = this.#live(write)
  }

  get extent(): PcmExtent {
    return this.#extent
  }

  get broken(): AbortSignal {
    return this.#broken.signal
  }

  grownBeyond({ samples }: PcmExtent, signal: AbortSignal): Promise<PcmExtent> {
    return this.reaching(samples + STEP_SAMPLES, signal)
  }

  /** Resolves when so many samples, or all that there are, can be read. @throws as `grownBeyond`. */
  async reaching(samples: number, signal: AbortSignal): Promise<PcmExtent> {
    for (;;) {
      this.broken.throwIfAborted()
      if (this.#extent.isComplete || this.#extent.samples >= samples) return this.#extent
      await until(this.#changed.promise, signal)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#givenUp.abort(new Error('nobody wants the rest'))
    await this.ended
    await rm(this.path, { force: true })
  }

  async #live(write: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const written = new AbortController()
    const watched = this.#watch(written.signal)
    try {
      await write(this.#givenUp.signal)
      this.#become({ samples: await this.#samplesOnDisk(), isComplete: true })
    } catch (error) {
      this.#broken.abort(error)
      this.#wake()
    } finally {
      written.abort()
      await watched
    }
  }

  async #watch(written: AbortSignal): Promise<void> {
    while (!written.aborted) {
      await sleep(LOOK_EVERY_MS, undefined, { signal: written, ref: false }).catch(() => {}) // cut short by the end
      if (written.aborted) return
      const samples = await this.#samplesOnDisk().catch(() => 0) // not yet there
      if (samples > this.#extent.samples && !this.#extent.isComplete)
        this.#become({ samples, isComplete: false })
    }
  }

  /** A sample may be half written. */
  async #samplesOnDisk(): Promise<number> {
    return Math.floor((await stat(this.path)).size / BYTES_PER_SAMPLE)
  }

  #become(extent: PcmExtent): void {
    this.#extent = extent
    this.#wake()
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
