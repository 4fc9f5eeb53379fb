/** Notices that a file hardly grows any more. It decides nothing about what is then done, and knows nothing of audio. */
import { stat } from 'node:fs/promises'

export interface Pace {
  readonly periodMs: number
  /** How much must come in each period. */
  readonly bytes: number
}

/** `tooSlow` is called once, after the first period in which less came. Disposing ends the watch. */
export function watchGrowth(path: string, { periodMs, bytes }: Pace, tooSlow: () => void): Disposable {
  let sizeBefore = 0
  const look = async () => {
    const size = await sizeOf(path)
    if (size - sizeBefore < bytes) {
      clearInterval(timer)
      tooSlow()
    }
    sizeBefore = size
  }
  const timer = setInterval(() => void look(), periodMs) // never rejects
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch {
    return 0 // not there, or not any more
  }
}
