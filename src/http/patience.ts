/** Waiting for the next item of a stream no longer than an alarm allows, without losing it. What the items are is not known here. */

export interface Alarm extends Disposable {
  /** Resolves when the time is over; never after the alarm has been disposed of. */
  readonly rings: Promise<void>
}

/** Tests ring by hand. */
export type SetAlarm = (afterMs: number) => Alarm

export const setTimer: SetAlarm = (afterMs) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, afterMs)
  return { rings: promise, [Symbol.dispose]: () => clearTimeout(timer) }
}

/** A new one for each wait: a promise that never settles keeps everything that ever waited for it. */
export const noAlarm = (): Alarm => ({ rings: new Promise(() => {}), [Symbol.dispose]: () => {} })

export class PatientReader<Item> {
  readonly #items: AsyncIterator<Item, void>
  #next: Promise<IteratorResult<Item, void>> | undefined

  constructor(items: AsyncIterable<Item, void>) {
    this.#items = items[Symbol.asyncIterator]()
  }

  /** Undefined when the alarm rings first; then the next call waits for the same item. @throws what the items throw. */
  async next(alarm: Alarm): Promise<IteratorResult<Item, void> | undefined> {
    this.#next ??= this.#items.next()
    const next = (await Promise.race([this.#next, alarm.rings])) ?? undefined
    if (next !== undefined) this.#next = undefined
    return next
  }

  /** Resolves when nothing is under way any more. An item that is being waited for must have been given up before. */
  async close(): Promise<void> {
    await this.#items.return?.()
  }
}
