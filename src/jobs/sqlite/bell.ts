/** Wakes those of this process who wait for something to happen to a job or in a lane. What has happened they look up themselves. */

export interface Listening extends Disposable {
  /** Resolves when it rings, also if that was before anybody waited for it. */
  readonly rung: Promise<void>
}

export class Bell {
  readonly #listeners = new Map<string, Set<() => void>>()

  /** Listen first, then look: what happens in between is not missed. */
  listen(topic: string): Listening {
    const { promise: rung, resolve } = Promise.withResolvers<void>()
    const listeners = this.#listeners.get(topic) ?? new Set()
    this.#listeners.set(topic, listeners.add(resolve))
    return { rung, [Symbol.dispose]: () => this.#leave(topic, resolve) }
  }

  ring(topic: string): void {
    for (const wake of this.#listeners.get(topic) ?? []) wake()
  }

  ringForAll(): void {
    for (const topic of this.#listeners.keys()) this.ring(topic)
  }

  #leave(topic: string, listener: () => void): void {
    const listeners = this.#listeners.get(topic)
    listeners?.delete(listener)
    if (listeners?.size === 0) this.#listeners.delete(topic)
  }
}
