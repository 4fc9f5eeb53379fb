/** How a finished window is written down, and read again by another process or another version. Both drivers write it alike. */
import { z } from 'zod'
import type { FinishedWindow } from './job.ts'
import { StoredSegment } from './stored-segment.ts'

const StoredWindow: z.ZodType<FinishedWindow> = z.object({
  number: z.int().nonnegative(),
  segments: z.array(StoredSegment),
  processedSeconds: z.number(),
  durationSeconds: z.number(),
  checkpoint: z.unknown(),
})

export function windowText(window: FinishedWindow): string {
  return JSON.stringify(window)
}

/** @throws ZodError or SyntaxError when it is not what `windowText` writes. */
export function windowOf(text: string): FinishedWindow {
  return StoredWindow.parse(JSON.parse(text))
}
