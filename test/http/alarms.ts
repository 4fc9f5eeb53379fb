/** Alarms that ring when the test says so. */
import type { SetAlarm } from '../../src/http/patience.ts'

export class Alarms {
  readonly #set = new Set<{ readonly afterMs: number; readonly ring: () => void }>()
  #changed = Promise.withResolvers<void>()

  readonly setAlarm: SetAlarm = (afterMs) => {
    const { promise: rings, resolve: ring } = Promise.withResolvers<void>()
    const alarm = { afterMs, ring }
    this.#set.add(alarm)
    this.#changed.resolve()
    return { rings, [Symbol.dispose]: () => this.#set.delete(alarm) }
  }

  /** What those that are set now are set to. */
  get pending(): number[] {
    return [...this.#set].map(({ afterMs }) => afterMs)
  }

  /** Rings the one that is set to so long, as soon as there is one. */
  async ring(afterMs: number): Promise<void> {
    for (;;) {
      this.#changed = Promise.withResolvers()
      const alarm = [...this.#set].find((each) => each.afterMs === afterMs)
      if (alarm) {
        this.#set.delete(alarm)
        return alarm.ring()
      }
      await this.#changed.promise
    }
  }
}
