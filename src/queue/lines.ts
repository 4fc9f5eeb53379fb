/** Who waits, each key in a line of its own, the lines taking turns. What they wait for is not known here. */

export class Lines<Waiter> {
  /** One line per key, in the order in which the keys are served next. No line is empty. */
  readonly #lines = new Map<string, Set<Waiter>>()
  #waiting = 0

  get waiting(): number {
    return this.#waiting
  }

  add(key: string, waiter: Waiter): void {
    const line = this.#lines.get(key) ?? new Set()
    this.#lines.set(key, line.add(waiter))
    this.#waiting++
  }

  remove(key: string, waiter: Waiter): void {
    const line = this.#lines.get(key)
    if (!line?.delete(waiter)) return
    this.#waiting--
    if (line.size === 0) this.#lines.delete(key)
  }

  /** The next one, taken out. Its key has then been served; the others come before its next one. */
  shift(): Waiter | undefined {
    const [first] = this.#lines
    if (first === undefined) return undefined
    const [key, line] = first
    const [waiter] = line
    if (waiter === undefined) throw new Error(`the line of key '${key}' is empty`)
    this.remove(key, waiter)
    if (this.#lines.delete(key)) this.#lines.set(key, line)
    return waiter
  }
}
