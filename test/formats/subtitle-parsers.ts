/** Other people's readers of subtitles: what they make of ours. Their own types cannot be found by Node's rules, or are missing. */
import { createRequire } from 'node:module'

interface Cue {
  readonly startTime: number
  readonly endTime: number
  readonly text: string
}

interface Read {
  readonly cues: readonly Cue[]
  readonly errors: readonly unknown[]
}

const captions = (await import('media-captions')) as unknown as {
  parseText(text: string, options: { type: 'srt' | 'vtt'; strict: boolean }): Promise<Read>
}
const w3c = createRequire(import.meta.url)('webvtt-parser') as {
  WebVTTParser: new () => { parse(text: string, mode: 'metadata'): Read }
}

/** As web players do. */
export async function readByPlayers(text: string, type: 'srt' | 'vtt'): Promise<Read> {
  return facts(await captions.parseText(text, { type, strict: true }))
}

/** As the W3C's validator does. */
export function readByW3c(text: string): Read {
  return facts(new w3c.WebVTTParser().parse(text, 'metadata'))
}

function facts({ cues, errors }: Read): Read {
  return { errors, cues: cues.map(({ startTime, endTime, text }) => ({ startTime, endTime, text })) }
}
