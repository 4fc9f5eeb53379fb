/**
 * An answer whose status has gone out. It decides how the body is kept alive in its silences and how it ends: whole,
 * with a farewell, with a broken connection, or because nobody reads it any more.
 */
import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import type { Failure } from '../failure.ts'
import { clientLeft, whenClientLeaves } from './hang-up.ts'
import type { LongBody } from './long-answer.ts'
import type { HttpEnv, Parts } from './parts.ts'
import { noAlarm, type PatientReader, setTimer } from './patience.ts'
import { asFailure } from './told.ts'

/** Proxies and clients let at least 30 s pass in silence; half of that, in case one of ours is late. */
export const SILENCE_MS = 15_000

interface Begun {
  readonly c: Context<HttpEnv>
  readonly parts: Parts
  readonly body: LongBody
  readonly reader: PatientReader<string>
  /** What is let go of in the end. */
  readonly held: AsyncDisposableStack
}

type Controller = ReadableStreamDefaultController<Uint8Array>

export class BegunAnswer {
  readonly #begun: Begun
  readonly #ended = Promise.withResolvers<Failure | undefined>()
  readonly #utf8 = new TextEncoder()
  #isOver = false
  #isCancelled = false

  constructor(begun: Begun) {
    this.#begun = begun
  }

  /** Resolves when everything has been let go of: with why the body is not whole, or with nothing. */
  get ended(): Promise<Failure | undefined> {
    return this.#ended.promise
  }

  /** The body from `text` on. It is pulled: a reader who stalls stalls us, and one piece or filler is all that waits for him. */
  stream(text: string): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          if (text !== '') controller.enqueue(this.#utf8.encode(text))
          this.#endWithTheConnection(controller)
        },
        pull: (controller) => this.#pull(controller),
        cancel: async () => {
          this.#isCancelled = true
          await this.#end(clientLeft())
        },
      },
      { highWaterMark: 0 },
    )
  }

  /** A body that nobody has begun to read is not cancelled when its connection closes; what it holds must go all the same. */
  #endWithTheConnection(controller: Controller): void {
    const leave = async () => {
      if (await this.#end(clientLeft())) this.#close(controller)
    }
    whenClientLeaves(this.#begun.c, () => void leave()) // never rejects
  }

  async #pull(controller: Controller): Promise<void> {
    try {
      const next = await this.#nextPiece()
      if (this.#isOver) return
      if (!next.done) controller.enqueue(this.#utf8.encode(next.value))
      else if (await this.#end()) this.#close(controller)
    } catch (error) {
      const failure = asFailure(error, this.#begun.c, this.#begun.parts.log)
      if (await this.#end(failure)) this.#tell(failure, controller)
    }
  }

  async #nextPiece(): Promise<IteratorResult<string, void>> {
    const { body, reader, parts } = this.#begun
    const { setAlarm = setTimer } = parts
    using alarm = body.filler === undefined ? noAlarm() : setAlarm(SILENCE_MS)
    return (await reader.next(alarm)) ?? { done: false, value: body.filler ?? '' }
  }

  /** Says whether this was the end: of several that come at once the first decides. Never rejects. */
  async #end(failure?: Failure): Promise<boolean> {
    if (this.#isOver) return false
    this.#isOver = true
    const { c, parts, held } = this.#begun
    try {
      await held.disposeAsync()
    } catch (error) {
      parts.log.error('letting go of an answer failed', { requestId: c.get('requestId'), error })
    }
    this.#ended.resolve(failure)
    return true
  }

  #tell(failure: Failure, controller: Controller): void {
    const { farewell } = this.#begun.body
    if (farewell === undefined) return this.#breakOff(failure, controller)
    if (!this.#isCancelled) controller.enqueue(this.#utf8.encode(farewell(failure)))
    this.#close(controller)
  }

  /**
   * A broken connection is all that HTTP has to say that a body is not whole. Reset, not closed: to HTTP/1.0, which older nginx
   * speaks to us unless told otherwise, closing is the proper end. And not by an error of the stream: node-server would
   * print that beside our log, and end the body with its message.
   */
  #breakOff(failure: Failure, controller: Controller): void {
    const { outgoing } = (this.#begun.c.env ?? {}) as Partial<HttpBindings>
    if (outgoing === undefined) controller.error(failure)
    else outgoing.socket?.resetAndDestroy() // without a socket it is broken already
  }

  #close(controller: Controller): void {
    if (!this.#isCancelled) controller.close()
  }
}
