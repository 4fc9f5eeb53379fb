/** When recordings will have ended, if the engine goes on as it does. A calculation; it measures nothing. */

interface Situation {
  /** Seconds of audio that are still to be heard of each recording in the engine. */
  readonly running: readonly number[]
  /** The same for those behind them, in their order. */
  readonly waiting: readonly number[]
  /** How many the engine takes at once. */
  readonly places: number
  /** Seconds of audio in a second, of all of them together. */
  readonly speed: number
}

/**
 * Seconds until so many recordings have ended. The engine divides its time evenly: of n recordings in it, each gets
 * an nth of its speed, so the next one to end is the one with the least left. Its place goes to the next in line.
 */
export function secondsUntilEnded(count: number, { running, waiting, places, speed }: Situation): number {
  const inside = [...running]
  let next = 0
  let seconds = 0
  for (let ended = 0; ended < count; ended++) {
    while (inside.length < places && next < waiting.length) inside.push(waiting[next++] ?? 0)
    if (inside.length === 0) break
    const least = Math.min(...inside)
    seconds += (least * inside.length) / speed
    inside.splice(inside.indexOf(least), 1)
    inside.forEach((left, index) => (inside[index] = left - least))
  }
  return seconds
}
