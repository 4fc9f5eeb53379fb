/**
 * One Python child, from its start to its end: handshake, questions, answers, and how it left.
 * It does not know that there may be another child after this one.
 */
import { Failure } from '../failure.ts'
import type { Log } from '../log.ts'
import { until } from '../until.ts'
import { Child } from './child.ts'
import type { WorkerCommand } from './command.ts'
import type { PcmExtent, PcmSource } from './events.ts'
import { toldExtent } from './from-wire.ts'
import {
  type Answer,
  type FatalMessage,
  type LoadingMessage,
  type PongMessage,
  PROTOCOL,
  type Question,
  type ReadyMessage,
  WorkerMessage,
  type WorkerRequest,
} from './protocol.ts'
import { PendingRequests } from './requests.ts'
import { WorkerExit } from './worker-exit.ts'

/** How long each rung of the ladder is given, in milliseconds: the `shutdown` message, then SIGTERM, then SIGKILL. */
export interface StopDeadlines {
  readonly shutdownMs: number
  readonly terminateMs: number
}

export interface WorkerParts {
  readonly command: WorkerCommand
  readonly log: Log
  readonly onLoading: (progress: LoadingMessage) => void
  /** A child that has not said hello by then is taken for dead. Loading a model has no deadline: it may be a download. */
  readonly helloDeadlineMs: number
}

export class Worker {
  /** Rejects with a WorkerExit when the child leaves before it is ready. */
  readonly ready: Promise<ReadyMessage>
  /** Never rejects. By then every open request has been answered. */
  readonly exited: Promise<WorkerExit>
  readonly #child: Child
  readonly #requests = new PendingRequests()
  readonly #log: Log
  readonly #onLoading: (progress: LoadingMessage) => void
  readonly #becameReady = Promise.withResolvers<ReadyMessage>()
  #phase: 'silent' | 'loading' | 'ready' | 'gone' = 'silent'
  #isStopping = false
  #hasAnswered = false
  #fatal: FatalMessage | undefined
  #foreignProtocol: number | undefined

  constructor({ command, log, onLoading, helloDeadlineMs }: WorkerParts) {
    this.#log = log
    this.#onLoading = onLoading
    this.#child = new Child(command, {
      onValue: (value) => this.#receive(WorkerMessage.parse(value)),
      onLogLine: (line) => log.debug('engine stderr', { line }),
    })
    this.ready = this.#becameReady.promise
    this.ready.catch(() => {}) // whoever waits sees it; nobody has to wait
    const hello = setTimeout(() => this.#missHello(), helloDeadlineMs)
    this.exited = this.#live().finally(() => clearTimeout(hello))
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Whether it has answered anything yet. */
  get hasAnswered(): boolean {
    return this.#hasAnswered
  }

  /** Whether it makes sense to ask this child anything. */
  get isReady(): boolean {
    return this.#phase === 'ready' && !this.#isStopping
  }

  /**
   * Asks, and yields what the child says about it; the final message is the last. Meanwhile the child is told how the samples grow.
   * Leaving the iteration early, or the signal, tells the child to give up.
   *
   * @throws the signal's reason at once; Failure `engine_crashed` when the child dies, `shutting_down` when it was stopped.
   */
  async *ask(
    question: Question,
    pcm: Pick<PcmSource, 'grownBeyond'>,
    signal: AbortSignal,
  ): AsyncGenerator<Answer, void, undefined> {
    await until(this.#child.writable, signal) // its pipe may be full
    signal.throwIfAborted() // it may have aborted between the promise and this line, and would not say so again
    const { id, answers } = this.#requests.open(question.kind)
    const over = new AbortController()
    const giveUp = (reason: unknown) => {
      if (over.signal.aborted) return
      over.abort()
      if (this.#requests.abandon(id, reason)) this.#send({ kind: 'cancel', id })
    }
    const heedSignal = () => giveUp(signal.reason)
    signal.addEventListener('abort', heedSignal, { once: true })
    try {
      this.#send({ ...question, id })
      // Not awaited: it goes on beside the answers. Why it cannot go on is what their reader then hears.
      this.#tellGrowth(id, toldExtent(question), pcm, over.signal).catch(giveUp)
      yield* answers
    } finally {
      signal.removeEventListener('abort', heedSignal)
      giveUp(undefined)
    }
  }

  /** How it is doing. @throws Failure when it is gone. */
  async ping(): Promise<PongMessage> {
    const { id, answers } = this.#requests.open('ping')
    this.#send({ kind: 'ping', id })
    for await (const answer of answers) if (answer.kind === 'pong') return answer
    throw new Error('the answers to a ping ended without one')
  }

  /** Ends it, for a reason that its exit then gives; first it may say where it stands. */
  giveUp(reason: Error): void {
    this.#child.killAfterLastWords(reason)
  }

  async #tellGrowth(
    id: number,
    told: PcmExtent,
    pcm: Pick<PcmSource, 'grownBeyond'>,
    over: AbortSignal,
  ): Promise<void> {
    for (let known = told; !known.isComplete; ) {
      known = await pcm.grownBeyond(known, over)
      await until(this.#child.writable, over)
      over.throwIfAborted()
      this.#send({ kind: 'pcm', id, samples: known.samples, is_complete: known.isComplete })
    }
  }

  /** Ends the child: asks it to leave, tells it to, makes it. Resolves when it is gone. */
  async stop({ shutdownMs, terminateMs }: StopDeadlines): Promise<void> {
    const { pid } = this.#child
    this.#isStopping = true
    this.#send({ kind: 'shutdown' })
    this.#child.endInput()
    if (await this.#exitsWithin(shutdownMs)) return
    this.#log.warn('the speech engine did not stop when asked; sending SIGTERM', { pid })
    this.#child.signal('SIGTERM')
    if (await this.#exitsWithin(terminateMs)) return
    this.#log.warn('the speech engine ignored SIGTERM; sending SIGKILL', { pid })
    this.#child.signal('SIGKILL')
    await this.exited
  }

  async #exitsWithin(ms: number): Promise<boolean> {
    return until(this.exited, AbortSignal.timeout(ms)).then(
      () => true,
      () => false,
    )
  }

  async #live(): Promise<WorkerExit> {
    const exit = new WorkerExit({
      ...(await this.#child.ended),
      saidHello: this.#phase !== 'silent',
      fatal: this.#fatal,
      foreignProtocol: this.#foreignProtocol,
      openRecordings: this.#requests.recordings,
    })
    this.#phase = 'gone'
    this.#becameReady.reject(exit)
    this.#requests.failAll(this.#farewell(exit))
    return exit
  }

  #farewell(exit: WorkerExit): Failure {
    return this.#isStopping
      ? new Failure('shutting_down', 'The server is shutting down.', { cause: exit })
      : new Failure('engine_crashed', 'The speech engine stopped unexpectedly. Please try again.', {
          cause: exit,
        })
  }

  #missHello(): void {
    if (this.#phase === 'silent') this.#child.kill(new Error('it did not say hello in time'))
  }

  /** What we do not recognise, or did not expect now, is a bug; a child with a bug is not asked again. */
  #receive(message: WorkerMessage): void {
    switch (message.kind) {
      case 'hello':
        return this.#greet(message.protocol)
      case 'loading':
        this.#expect('loading', message.kind)
        return this.#onLoading(message)
      case 'ready':
        this.#expect('loading', message.kind)
        this.#phase = 'ready'
        return this.#becameReady.resolve(message)
      case 'fatal':
        this.#fatal = message
        return
      case 'delta':
      case 'window':
      case 'progress':
      case 'done':
      case 'detected':
      case 'failed':
      case 'cancelled':
        this.#expect('ready', message.kind)
        this.#hasAnswered ||= message.kind === 'done' || message.kind === 'detected'
        return this.#requests.deliver(message)
      case 'pong': // whatever it does; that it is owed one is all that counts
        return this.#requests.deliver(message)
      default:
        message satisfies never
    }
  }

  #greet(protocol: number): void {
    this.#expect('silent', 'hello')
    this.#phase = 'loading'
    if (protocol === PROTOCOL) return
    this.#foreignProtocol = protocol
    throw new Error(`it speaks protocol ${protocol}, not ${PROTOCOL}`)
  }

  #expect(phase: 'silent' | 'loading' | 'ready', kind: string): void {
    if (this.#phase !== phase) throw new Error(`the child said '${kind}' while it was ${this.#phase}`)
  }

  #send(request: WorkerRequest): void {
    this.#child.write(request)
  }
}
