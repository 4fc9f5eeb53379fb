/**
 * Pairs each request sent to the child with the one answer it must get: a final message, or the child's death.
 * It knows ids and who is owed what; it neither writes to the pipe nor reads from it.
 */
import type { Failure } from '../failure.ts'
import { Channel } from './channel.ts'
import type { Answer, Question } from './protocol.ts'

/** The kind of question decides which final message, and so which others, may answer it. */
const EXPECTED = {
  transcribe: ['delta', 'window', 'progress', 'done'],
  detect_language: ['detected'],
} as const satisfies Record<Question['kind'], readonly Answer['kind'][]>

const NOT_FINAL: ReadonlySet<Answer['kind']> = new Set(['delta', 'window', 'progress'])

interface Debt {
  readonly allowed: ReadonlySet<string>
  readonly answers: Channel<Answer>
}

export class PendingRequests {
  readonly #debts = new Map<number, Debt>()
  #nextId = 1
  #failure: Failure | undefined

  /** How many final messages the child still owes, those of abandoned requests included. */
  get size(): number {
    return this.#debts.size
  }

  /** `answers` ends after the final message. */
  open(kind: Question['kind']): { id: number; answers: AsyncGenerator<Answer, void, undefined> } {
    const id = this.#nextId++
    const answers = new Channel<Answer>()
    if (this.#failure === undefined) {
      this.#debts.set(id, { allowed: new Set([...EXPECTED[kind], 'failed', 'cancelled']), answers })
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

  /** The child is gone: everybody who is still owed an answer gets this one, and whoever asks later too. */
  failAll(failure: Failure): void {
    this.#failure = failure
    for (const debt of this.#debts.values()) debt.answers.fail(failure)
    this.#debts.clear()
  }
}
