/** The time, and what is to be done when some of it has passed: tests have a clock of their own. */

export interface Timers {
  nowMs(): number
  /** Disposing before it is due cancels it. */
  after(ms: number, act: () => void): Disposable
}

export const REAL_TIMERS: Timers = {
  nowMs: () => performance.now(),
  after: (ms, act) => {
    const timer = setTimeout(act, ms).unref() // what is kept for a retry is no reason to live on
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}
