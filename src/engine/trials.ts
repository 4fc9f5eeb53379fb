/**
 * Who may be in the child together. When one dies, everybody who was in it is suspected; each is then tried alone, until some
 * more windows of it are done. It decides nothing about children and sees no recording.
 */
import { until } from '../until.ts'

/** As many as a child has in its slots: a window that kills among them is met in one of these trials. */
const MOST_WINDOWS_TO_PROVE = 16

/** One recording's record. */
export class Defendant {
  #crashes = 0
  #windowsToProve = 0

  get isSuspected(): boolean {
    return this.#windowsToProve > 0
  }

  /** The first time one window is enough. Who is suspected again has to prove twice as much: its fatal window may be a later one. */
  suspect(): void {
    this.#crashes++
    this.#windowsToProve = Math.min(2 ** (this.#crashes - 1), MOST_WINDOWS_TO_PROVE)
  }

  /** A window more is done. Says whether that was the last that was missing. */
  prove(): boolean {
    if (!this.isSuspected) return false
    this.#windowsToProve--
    return !this.isSuspected
  }
}

export class Trials {
  /** In the order of their trials. */
  readonly #suspects = new Set<Defendant>()
  readonly #inside = new Set<Defendant>()
  #changed = Promise.withResolvers<void>()

  /** Whether somebody is to be tried, or is being tried. */
  get areOn(): boolean {
    return this.#suspects.size > 0
  }

  /** While there are suspects, nobody enters but the first of them, and alone. */
  tryToEnter(defendant: Defendant): boolean {
    const [next] = this.#suspects
    if (next !== undefined && (next !== defendant || this.#inside.size > 0)) return false
    this.#inside.add(defendant)
    return true
  }

  /** Resolves when it makes sense to try again. @throws the signal's reason. */
  async changed(signal: AbortSignal): Promise<void> {
    await until(this.#changed.promise, signal)
  }

  /** A child died while it was inside. */
  suspect(defendant: Defendant): void {
    defendant.suspect()
    this.#suspects.delete(defendant) // it goes to the end of the line
    this.#suspects.add(defendant)
  }

  /** One of its windows is done. Says whether that has cleared it. */
  prove(defendant: Defendant): boolean {
    const isCleared = defendant.prove()
    if (isCleared) this.#suspects.delete(defendant)
    if (isCleared) this.#change()
    return isCleared
  }

  leave(defendant: Defendant): void {
    this.#inside.delete(defendant)
    this.#change()
  }

  /** It wants nothing any more. */
  dismiss(defendant: Defendant): void {
    this.#suspects.delete(defendant)
    this.leave(defendant)
  }

  #change(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
