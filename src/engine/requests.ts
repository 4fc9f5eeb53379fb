/**
 * Pairs each request sent to the child with the one answer it must get: a final message, or the child's death.
 * It knows ids and who is owed what; it neither writes to the pipe nor reads from it.
 */
import type { Failure } from '../failure.ts'
import { Channel } from './channel.ts'
import type { Answer, Question, WorkerRequest } from './protocol.ts'

/** The kind of question decides which final message, and so which others, may answer it. */
const EXPECTED = {
  transcribe: ['delta', 'window', 'progress', 'done', 'failed', 'cancelled'],
  detect_language: ['detected', 'failed', 'cancelled'],
  ping: ['pong'],
} as const satisfies Partial<Record<WorkerRequest['kind'], readonly Answer['kind'][]>>

const NOT_FINAL: ReadonlySet<Answer['kind']> = new Set(['delta', 'window', 'progress'])

interface Debt {
  readonly kind: keyof typeof EXPECTED
  readonly allowed: ReadonlySet<string>
  readonly answers: Channel<Answer>
}

export class PendingRequests {
  readonly #debts = new Map<number, Debt>()
  #nextId = 1
  #failure: Failure | undefined

  /** How many recordings the child still owes a final message, those of abandoned requests included. */
  get recordings(): number {
    return this.#debts
      .values()
      .filter(({ kind }) => kind !== 'ping')
      .toArray().length
  }

  /** `answers` ends after the final message. */
  open(kind: Question['kind'] | 'ping'): { id: number; answers: AsyncGenerator<Answer, void, undefined> } {
    const id = this.#nextId++
    const answers = new Channel<Answer>()
    if (this.#failure === undefined) {
      this.#debts.set(id, { kind, allowed: new Set(EXPECTED[kind]), answers })
    } else answers.fail(this.#failure)
    return { id, answers: answers.read() }
  }

  /** @throws Error when nobody is owed this: a bug of the child. */
  deliver(answer: Answer): void {
    const debt = this.#debts.get(answer.id)
    if (!debt?.allowed.has(answer.kind)) {
      throw new Error(`the child said '${answer.kind}' of request ${answer.id}, which is not owed that`)
    }
    debt.answers.push(answer)
    if (NOT_FINAL.has(answer.kind)) return
    debt.answers.close()
    this.#debts.delete(answer.id)
  }

  /**
   * The reader gets `reason` at once; the child's final message is still awaited, and goes nowhere.
   * Says whether the child still owes one, that is, whether telling it to stop makes sense.
   */
  abandon(id: number, reason: unknown): boolean {
    const debt = this.#debts.get(id)
    debt?.answers.fail(reason)
    return debt !== undefined
  }

  /** The child is gone: everybody who is still owed an answer gets this one after what was said, and whoever asks later too. */
  failAll(failure: Failure): void {
    this.#failure = failure
    for (const debt of this.#debts.values()) debt.answers.breakOff(failure)
    this.#debts.clear()
  }
}
