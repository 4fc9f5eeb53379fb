/**
 * One transcription with any number of readers. It decides when work that nobody reads any more is given up; it does not
 * know what makes two requests the same.
 */
import { Failure } from '../failure.ts'
import type { Log } from '../log.ts'
import type { Transcript, TranscriptEvent } from '../transcript.ts'
import { Broadcast } from './broadcast.ts'
import type { Timers } from './timers.ts'

const LONGEST_LINGER_MS = 30_000
/** The SDKs' shortest pause before a retry is 375 ms, and the file has to be sent again: less would help nobody. */
const SHORTEST_LINGER_MS = 500
const LINGER_SHARE = 0.1

/**
 * How long work goes on when the last reader has left: a tenth of what it has been going on already, so that little is
 * wasted on clients that are really gone, and nothing on those that leave early.
 */
export function lingerMs(ranMs: number, isAskedAgain: boolean): number {
  if (isAskedAgain) return LONGEST_LINGER_MS
  const share = Math.min(LONGEST_LINGER_MS, ranMs * LINGER_SHARE)
  return share < SHORTEST_LINGER_MS ? 0 : share
}

export interface WorkParts {
  /** Begins; the signal ends it. */
  readonly perform: (signal: AbortSignal) => AsyncIterable<TranscriptEvent>
  /** Its client has announced that it will ask again. */
  readonly isAskedAgain: boolean
  readonly timers: Timers
  readonly log: Log
}

type WorkState = 'running' | 'finished' | 'failed' | 'given up'

export class SharedWork {
  /** Never rejects. */
  readonly ended: Promise<void>
  readonly #parts: WorkParts
  readonly #broadcast = new Broadcast()
  readonly #givingUp = new AbortController()
  readonly #beganMs: number
  #state: WorkState = 'running'
  #transcript: Transcript | undefined
  #readers = 0
  #lingering: Disposable | undefined

  constructor(parts: WorkParts) {
    this.#parts = parts
    this.#beganMs = parts.timers.nowMs()
    this.ended = this.#run()
  }

  get state(): WorkState {
    return this.#state
  }

  /** It goes on although nobody reads it. */
  get isLingering(): boolean {
    return this.#state === 'running' && this.#lingering !== undefined
  }

  /** Present when it has finished. */
  get transcript(): Transcript | undefined {
    return this.#transcript
  }

  /** Whoever enters has to leave. */
  enter(): void {
    this.#readers++
    this.#lingering?.[Symbol.dispose]()
    this.#lingering = undefined
  }

  /** @throws what the work failed with; the signal's reason, which ends the reading and not the work. */
  read(signal: AbortSignal): AsyncIterable<TranscriptEvent> {
    return this.#broadcast.read(signal)
  }

  /** Resolves at once, or, when the last one leaves and there is nothing to linger for, when everything is free again. */
  async leave(): Promise<void> {
    this.#readers--
    if (this.#readers > 0 || this.#state !== 'running') return
    const { timers, log, isAskedAgain } = this.#parts
    const ranMs = timers.nowMs() - this.#beganMs
    const ms = lingerMs(ranMs, isAskedAgain)
    if (ms === 0) {
      this.giveUp(nobodyWaits())
      return this.ended
    }
    log.info('the last client of a recording has left: a retry may join it for a while', {
      ranMs: Math.round(ranMs),
      lingerMs: Math.round(ms),
    })
    this.#lingering = timers.after(ms, () => this.giveUp(nobodyWaits()))
  }

  giveUp(reason: Failure): void {
    if (this.#state !== 'running') return
    this.#state = 'given up'
    this.#givingUp.abort(reason)
  }

  async #run(): Promise<void> {
    try {
      const done = await this.#untilDone()
      this.#state = 'finished'
      this.#transcript = done.transcript
      this.#broadcast.say(done)
      this.#broadcast.end()
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#lingering?.[Symbol.dispose]()
    }
  }

  /** `done` is held back until turns and files are free again: whoever has an answer shall find nothing left of its making. */
  async #untilDone(): Promise<Extract<TranscriptEvent, { kind: 'done' }>> {
    for await (const event of this.#parts.perform(this.#givingUp.signal)) {
      if (event.kind === 'done') return event
      this.#broadcast.say(event)
    }
    throw new Error('the transcript events ended without `done`')
  }

  #fail(error: unknown): void {
    if (this.#state === 'running') {
      this.#state = 'failed'
      // Readers tell their clients and the log; without any it would be lost.
      if (this.#readers === 0)
        this.#parts.log.warn('a recording failed while nobody waited for it', { error })
    }
    this.#broadcast.fail(error)
  }
}

function nobodyWaits(): Failure {
  return new Failure('client_closed_request', 'The last client that waited for this recording has left.')
}
