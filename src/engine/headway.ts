/**
 * How far the engine has come with one recording, however many children that takes: what has been told stands, and the
 * next child goes on after the last window that is done. It knows no child.
 */
import { Failure } from '../failure.ts'
import type { JudgedText } from '../transcript.ts'
import type { EngineEvent, EngineRequest } from './events.ts'
import { toDone, toJudged, toQuestion, toSegments } from './from-wire.ts'
import type { Answer, Checkpoint, DeltaMessage, Question, WindowMessage } from './protocol.ts'

export class Headway {
  readonly #request: EngineRequest
  readonly #dropped: JudgedText[] = []
  readonly #warnings: JudgedText[] = []
  #checkpoint: Checkpoint | null = null
  #segments = 0
  /** Of the window that is not done: what has been told, and what this child has said. */
  #told = ''
  #said = ''

  constructor(request: EngineRequest) {
    this.#request = request
  }

  /** For the next child. */
  question(): Question {
    this.#said = ''
    return toQuestion(this.#request, this.#checkpoint)
  }

  /** @throws Failure engine_crashed when a child contradicts what another one has said. */
  hear(answer: Answer): EngineEvent | undefined {
    if (answer.kind === 'delta') return this.#hearDelta(answer)
    if (answer.kind === 'window') return this.#hearWindow(answer)
    if (answer.kind === 'done') return toDone(answer, { dropped: this.#dropped, warnings: this.#warnings })
    if (answer.kind !== 'progress') return undefined
    return {
      kind: 'progress',
      processedSeconds: answer.processed_seconds,
      durationSeconds: answer.duration_seconds,
    }
  }

  /** A new child says the window again from its beginning: what has been told is not told twice. */
  #hearDelta({ index, text }: DeltaMessage): EngineEvent | undefined {
    const before = Math.max(0, this.#told.length - this.#said.length)
    this.#said += text
    if (index !== this.#windows || !agree(this.#told, this.#said)) throw contradiction()
    const news = text.slice(before)
    this.#told += news
    return news === '' ? undefined : { kind: 'delta', text: news }
  }

  #hearWindow(window: WindowMessage): EngineEvent | undefined {
    const text = window.segments.map((segment) => segment.text).join('')
    if (window.index !== this.#windows || !text.startsWith(this.#told)) throw contradiction()
    const segments = toSegments(window, this.#segments)
    this.#checkpoint = window.checkpoint
    this.#segments += segments.length
    this.#dropped.push(...window.dropped.map(toJudged))
    this.#warnings.push(...window.warnings.map(toJudged))
    this.#told = this.#said = ''
    return segments.length === 0 ? undefined : { kind: 'segments', segments }
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
