/**
 * How far the engine has come with one recording, however many children that takes: what has been told stands, and the
 * next child goes on after the last window that is done. It knows no child.
 */
import { Failure } from '../failure.ts'
import type { JudgedText, Segment, WindowCheckpoint } from '../transcript.ts'
import { forEngineOf } from './checkpoints.ts'
import type { EngineEvent, EngineRequest } from './events.ts'
import { toDone, toJudged, toQuestion, toSegments } from './from-wire.ts'
import type { Answer, Checkpoint, DeltaMessage, Question, WindowMessage } from './protocol.ts'

export class Headway {
  readonly #request: EngineRequest
  /** Whose children do the work; of `resumeFrom` until a child is asked. */
  #maker: string | undefined
  /** Nothing has been told but what another process has told. */
  #isResuming = false
  #dropped: JudgedText[] = []
  #warnings: JudgedText[] = []
  #checkpoint: Checkpoint | null = null
  #segments = 0
  /** Of the window that is not done: what has been told, and what this child has said. */
  #told = ''
  #said = ''

  constructor(request: EngineRequest) {
    this.#request = request
    if (request.resumeFrom !== undefined) this.#resume(request.resumeFrom)
  }

  /** What another process has done is the beginning, and can still be given up for a beginning of our own. */
  get isResuming(): boolean {
    return this.#isResuming
  }

  /** Whether what another process has done is of no use to this maker's children. */
  isForeignTo(maker: string | undefined): boolean {
    return this.#isResuming && maker !== undefined && maker !== this.#maker
  }

  beginAgain(): void {
    this.#isResuming = false
    this.#dropped = []
    this.#warnings = []
    this.#checkpoint = null
    this.#segments = 0
  }

  /** For the next child, which is of this maker; undefined when it has gone already. */
  question(maker?: string): Question {
    this.#maker = maker ?? this.#maker
    this.#said = ''
    return toQuestion(this.#request, this.#checkpoint)
  }

  /** @throws Failure engine_crashed when a child contradicts what another one has said. */
  hear(answer: Answer): EngineEvent[] {
    if (answer.kind === 'delta') return this.#hearDelta(answer)
    if (answer.kind === 'window') return this.#hearWindow(answer)
    if (answer.kind === 'done') return [toDone(answer, { dropped: this.#dropped, warnings: this.#warnings })]
    if (answer.kind !== 'progress') return []
    const { processed_seconds: processedSeconds, duration_seconds: durationSeconds } = answer
    return [{ kind: 'progress', processedSeconds, durationSeconds }]
  }

  #resume(before: WindowCheckpoint): void {
    const forEngine = forEngineOf(before)
    this.#isResuming = true
    this.#maker = forEngine?.maker ?? 'nobody we know'
    this.#checkpoint = forEngine?.place ?? null
    this.#segments = before.segments.length
    this.#dropped = [...before.dropped]
    this.#warnings = [...before.warnings]
  }

  /** A new child says the window again from its beginning: what has been told is not told twice. */
  #hearDelta({ index, text }: DeltaMessage): EngineEvent[] {
    const before = Math.max(0, this.#told.length - this.#said.length)
    this.#said += text
    if (index !== this.#windows || !agree(this.#told, this.#said)) throw contradiction()
    this.#isResuming = false
    const news = text.slice(before)
    this.#told += news
    return news === '' ? [] : [{ kind: 'delta', text: news }]
  }

  #hearWindow(window: WindowMessage): EngineEvent[] {
    const text = window.segments.map((segment) => segment.text).join('')
    if (window.index !== this.#windows || !text.startsWith(this.#told)) throw contradiction()
    this.#isResuming = false
    const segments = toSegments(window, this.#segments)
    const dropped = window.dropped.map(toJudged)
    const warnings = window.warnings.map(toJudged)
    this.#checkpoint = window.checkpoint
    this.#segments += segments.length
    this.#dropped.push(...dropped)
    this.#warnings.push(...warnings)
    this.#told = this.#said = ''
    const events: EngineEvent[] = segments.length === 0 ? [] : [{ kind: 'segments', segments }]
    if (this.#request.wantsCheckpoints === true) {
      events.push({ kind: 'checkpoint', checkpoint: this.#leave(window, { segments, dropped, warnings }) })
    }
    return events
  }

  #leave(
    { index, end, checkpoint: place }: WindowMessage,
    said: { segments: Segment[]; dropped: JudgedText[]; warnings: JudgedText[] },
  ): WindowCheckpoint {
    const engine = { maker: this.#maker, place }
    return { firstWindow: index, windows: index + 1, endSeconds: end, ...said, engine }
  }

  /** That are done, so the index of the one that comes next. */
  get #windows(): number {
    return this.#checkpoint?.windows ?? 0
  }
}

/** Whether one of the two is the beginning of the other. */
function agree(one: string, other: string): boolean {
  return one.startsWith(other) || other.startsWith(one)
}

/** Half a sentence of one reading and half of another would be a lie that nobody can see. */
function contradiction(): Failure {
  return new Failure(
    'engine_crashed',
    'The speech engine stopped unexpectedly, and could not go on from where it was. Please try again.',
    { cause: new Error('the child contradicts what was said of this recording before') },
  )
}
