/** Cues become SubRip or WebVTT text. Where cues begin and end was decided in cues.ts. */
import type { Cue } from './cues.ts'

/** No cues: an empty file, which players accept. */
export function srt(cues: readonly Cue[]): string {
  return cues
    .map((cue, index) => `${index + 1}\n${times(cue, ',')}\n${cue.lines.map(srtLine).join('\n')}\n`)
    .join('\n')
}

export function vtt(cues: readonly Cue[]): string {
  const blocks = cues.map((cue) => `${times(cue, '.')}\n${cue.lines.map(vttLine).join('\n')}\n`)
  return `WEBVTT\n\n${blocks.join('\n')}`
}

function times({ startMs, endMs }: Cue, decimalMark: ',' | '.'): string {
  return `${clock(startMs, decimalMark)} --> ${clock(endMs, decimalMark)}`
}

/** Hours are always printed: WebVTT may leave them out, but LiteLLM reads durations with a pattern that needs them. */
function clock(totalMs: number, decimalMark: ',' | '.'): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  const ms = String(totalMs % 1000).padStart(3, '0')
  const seconds = totalMs / 1000
  return `${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}${decimalMark}${ms}`
}

/** SubRip knows no escapes; only the arrow would be taken for a line of times. */
function srtLine(line: string): string {
  return line.replaceAll('-->', '→')
}

/** https://www.w3.org/TR/webvtt1/#webvtt-cue-text-span: these three are markup. */
function vttLine(line: string): string {
  return line.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
