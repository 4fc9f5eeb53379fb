/**
 * Whose turn it is: so many at once, the others wait in order, taking turns between keys.
 * It does not know what is done with a turn, and refuses nobody: how many may wait is the workload's business.
 */
export interface Ticket {
  /** Whoever shares a key shares one line; the lines take turns. */
  readonly key?: string
}

type Admit = (turn: Disposable) => void

export class Admission {
  readonly #places: number
  /** One line per key, in the order in which the keys are served next. No line is empty. */
  readonly #lines = new Map<string, Set<Admit>>()
  #active = 0
  #waiting = 0

  constructor({ places }: { readonly places: number }) {
    this.#places = places
  }

  state(): { active: number; waiting: number } {
    return { active: this.#active, waiting: this.#waiting }
  }

  /**
   * Waits for a turn; disposing the turn lets the next one in.
   *
   * @throws the signal's reason when it aborts while waiting. A turn once given is the holder's to dispose.
   */
  async enter(ticket: Ticket, signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted()
    if (this.#active < this.#places) {
      this.#active++
      return this.#turn()
    }
    return this.#wait(ticket.key ?? '', signal)
  }

  #wait(key: string, signal: AbortSignal): Promise<Disposable> {
    const { promise, resolve, reject } = Promise.withResolvers<Disposable>()
    const leaveLine = () => {
      this.#remove(key, admit)
      reject(signal.reason)
    }
    const admit = (turn: Disposable) => {
      signal.removeEventListener('abort', leaveLine)
      resolve(turn)
    }
    signal.addEventListener('abort', leaveLine, { once: true })
    const line = this.#lines.get(key) ?? new Set()
    this.#lines.set(key, line.add(admit))
    this.#waiting++
    return promise
  }

  #turn(): Disposable {
    let isOver = false
    return {
      [Symbol.dispose]: () => {
        if (isOver) return
        isOver = true
        this.#passOn()
      },
    }
  }

  /** The place goes straight to the next in line: were it free in between, a newcomer could overtake. */
  #passOn(): void {
    const [first] = this.#lines
    if (first === undefined) {
      this.#active--
      return
    }
    const [key, line] = first
    const [admit] = line
    if (admit === undefined) throw new Error(`the line of key '${key}' is empty`)
    this.#remove(key, admit)
    this.#moveToTheBack(key, line)
    admit(this.#turn())
  }

  #remove(key: string, admit: Admit): void {
    const line = this.#lines.get(key)
    if (!line?.delete(admit)) return
    this.#waiting--
    if (line.size === 0) this.#lines.delete(key)
  }

  /** Its key has just been served; the others come before its next one. */
  #moveToTheBack(key: string, line: Set<Admit>): void {
    if (!this.#lines.delete(key)) return
    this.#lines.set(key, line)
  }
}
