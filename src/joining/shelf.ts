/**
 * What has finished is kept for a while, and never too much of it: the oldest goes first. Decides how long and how much;
 * it does not know what is kept.
 */
import type { Timers } from './timers.ts'

export interface ShelfLimits {
  readonly things: number
  /** Of all texts together. Text stands for all that comes with it. */
  readonly characters: number
}

interface KeptThing {
  readonly characters: number
  readonly ms: number
  /** Called once: when the time is up, when there is no room, or when everything is forgotten. */
  readonly forget: () => void
}

export class Shelf {
  readonly #limits: ShelfLimits
  readonly #timers: Timers
  /** The oldest first. */
  readonly #kept = new Map<KeptThing, Disposable>()
  #characters = 0

  constructor(limits: ShelfLimits, timers: Timers) {
    this.#limits = limits
    this.#timers = timers
  }

  /** What is too large for the whole shelf is forgotten at once; nothing else has to go for it. */
  keep(thing: KeptThing): void {
    if (thing.characters > this.#limits.characters) {
      thing.forget()
      return
    }
    const timer = this.#timers.after(thing.ms, () => this.#drop(thing))
    this.#kept.set(thing, timer)
    this.#characters += thing.characters
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#limits.things && this.#characters <= this.#limits.characters) return
      this.#drop(oldest)
    }
  }

  clear(): void {
    for (const thing of this.#kept.keys()) this.#drop(thing)
  }

  #drop(thing: KeptThing): void {
    const timer = this.#kept.get(thing)
    if (timer === undefined) return
    timer[Symbol.dispose]()
    this.#kept.delete(thing)
    this.#characters -= thing.characters
    thing.forget()
  }
}
