/**
 * A process and its three pipes: JSON lines in, JSON lines out, a log, and how it left.
 * It does not know what the lines mean.
 */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import type { WorkerCommand } from './command.ts'
import { formatJsonLine, readJsonLines } from './json-lines.ts'

export interface ChildEnd {
  readonly pid: number | undefined
  /** Undefined when a signal ended it, or when it could not be started. */
  readonly exitCode: number | undefined
  readonly signal: string | undefined
  /** Why we ended it, or the operating system's reason for not starting it. */
  readonly cause: unknown
  /** The last lines of its stderr, oldest first. */
  readonly lastLines: readonly string[]
}

interface ChildListeners {
  /** What this throws ends the child, and is the `cause` of its end. */
  readonly onValue: (value: unknown) => void
  readonly onLogLine: (line: string) => void
}

/** The stacks of several threads. */
const KEPT_LOG_LINES = 60
/** Python writes its stacks at once, if it can. */
const LAST_WORDS_MS = 1000
const PIPE_GRACE_MS = 1000

function spawn({ file, args, cwd, environment }: WorkerCommand) {
  return execa(file, args, {
    cwd,
    env: environment,
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    // Buffering kills a long-lived child at 100 million characters, in the middle of a line.
    buffer: false,
    reject: false,
    cleanup: true,
  })
}

export class Child {
  /** Never rejects. By then all that it said has been heard. */
  readonly ended: Promise<ChildEnd>
  readonly #process: ReturnType<typeof spawn>
  readonly #listeners: ChildListeners
  readonly #lastLines: string[] = []
  #writable: Promise<unknown> = Promise.resolve()
  #killedFor: unknown

  constructor(command: WorkerCommand, listeners: ChildListeners) {
    this.#listeners = listeners
    this.#process = spawn(command)
    // A child that is gone makes writing fail with EPIPE; how it left says more than that.
    this.#process.stdin.on('error', () => {})
    this.ended = this.#live()
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** Resolves when its pipe takes more, or when it is gone. */
  get writable(): Promise<unknown> {
    return this.#writable
  }

  /** Writing to a child that is gone does nothing. */
  write(value: unknown): void {
    const { stdin } = this.#process
    if (!stdin.writable || stdin.write(formatJsonLine(value))) return
    this.#writable = Promise.race([once(stdin, 'drain'), this.ended]).catch(() => {})
  }

  endInput(): void {
    this.#process.stdin.end()
  }

  signal(name: 'SIGTERM' | 'SIGKILL' | 'SIGUSR2'): void {
    this.#process.kill(name)
  }

  /** Ends it at once, for a reason that `ended` then gives. */
  kill(reason: unknown): void {
    this.#killedFor ??= reason
    this.signal('SIGKILL')
  }

  /** Asks it first to write on its log where each of its threads is. */
  killAfterLastWords(reason: unknown): void {
    this.#killedFor ??= reason
    this.signal('SIGUSR2')
    setTimeout(() => this.signal('SIGKILL'), LAST_WORDS_MS).unref()
  }

  async #live(): Promise<ChildEnd> {
    const heardOut = Promise.all([this.#process, this.#readValues(), this.#readLog()])
    const spawnError = await Promise.race([heardOut.then(([result]) => result.cause), this.#diesHeld()])
    const { exitCode, signalCode } = this.#process.nodeChildProcess
    return {
      pid: this.pid,
      exitCode: this.pid === undefined ? undefined : (exitCode ?? undefined),
      signal: signalCode ?? undefined,
      cause: this.#killedFor ?? spawnError,
      lastLines: this.#lastLines,
    }
  }

  /** Resolves a second after its death: a process that it left behind may hold its pipes open, and is not waited for. */
  async #diesHeld(): Promise<undefined> {
    const died = Promise.withResolvers<void>()
    this.#process.nodeChildProcess.once('exit', () => died.resolve())
    await died.promise
    await sleep(PIPE_GRACE_MS, undefined, { ref: false })
    this.#process.stdout.destroy()
    this.#process.stderr.destroy()
  }

  async #readValues(): Promise<void> {
    try {
      for await (const value of readJsonLines(this.#process.stdout)) this.#listeners.onValue(value)
    } catch (error) {
      this.kill(error)
    }
  }

  /** An unread pipe would block it. */
  async #readLog(): Promise<void> {
    for await (const line of createInterface({ input: this.#process.stderr })) {
      this.#lastLines.push(line)
      if (this.#lastLines.length > KEPT_LOG_LINES) this.#lastLines.shift()
      this.#listeners.onLogLine(line)
    }
  }
}
