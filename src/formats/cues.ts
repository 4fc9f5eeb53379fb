/**
 * A transcript becomes subtitle cues that can be read: two lines of 42 characters, at most 7 s, broken where speakers break.
 * The limits are those of broadcasters (BBC subtitle guidelines, Netflix timed text style guide). How cues are written
 * down is subtitles.ts's business.
 */
import type { Segment } from '../transcript.ts'
import { type Unit, unitsOf } from './cue-units.ts'

export interface Cue {
  readonly startMs: number
  readonly endMs: number
  /** One or two. */
  readonly lines: readonly string[]
}

export const MAX_LINE_CHARACTERS = 42
export const MAX_CUE_MS = 7000
/** Below a second nobody reads a cue; it is lengthened as far as the next cue allows. */
const COMFORTABLE_CUE_MS = 1000
/** The shortest cue there is, where words share one instant (broken timestamps): later cues move, none becomes invisible. */
export const MIN_CUE_MS = 300
/** Characters a reader takes in per second. */
const READING_SPEED = 20
/** A silence that no cue spans. */
const LONG_PAUSE_MS = 1000
/** A silence that one hears as a boundary. */
const PAUSE_MS = 300

/** Danish and English words that belong to what follows: no line should end with them if another can. */
const LEADING_WORDS = new Set(
  'at af den der det de du en et for fra han hun hvis i jeg med men og om på som til vi a an and by in my of on or the to with'.split(
    ' ',
  ),
)

/** Cues in order, without overlap; every word is in exactly one of them. Empty when nobody spoke. */
export function cuesOf(segments: readonly Segment[]): Cue[] {
  const groups = splitAtPauses(unitsOf(segments, MAX_LINE_CHARACTERS)).flatMap(divide)
  return timed(groups)
}

function splitAtPauses(units: readonly Unit[]): Unit[][] {
  const phrases: Unit[][] = []
  for (const unit of units) {
    const phrase = phrases.at(-1)
    const before = phrase?.at(-1)
    if (!phrase || !before || unit.startMs - before.endMs >= LONG_PAUSE_MS) phrases.push([unit])
    else phrase.push(unit)
  }
  return phrases
}

/**
 * Cuts a phrase into cues at the least total cost. Greedy filling would leave a lonely last word and cut before
 * "og"; looking at all divisions costs one pass, because a cue never holds more than 85 characters.
 */
function divide(phrase: readonly Unit[]): Unit[][] {
  const best: { cost: number; from: number }[] = [{ cost: 0, from: 0 }]
  for (let to = 1; to <= phrase.length; to++) {
    let choice = { cost: Infinity, from: to - 1 }
    for (let from = to - 1; from >= 0; from--) {
      const units = phrase.slice(from, to)
      if (units.length > 1 && !mayShareCue(units)) break
      const cost = (best[from]?.cost ?? Infinity) + cueCost(units) + breakCost(phrase[to - 1], phrase[to])
      if (cost < choice.cost) choice = { cost, from }
    }
    best[to] = choice
  }

  const groups: Unit[][] = []
  for (let to = phrase.length; to > 0; to = best[to]?.from ?? 0) {
    groups.push(phrase.slice(best[to]?.from, to))
  }
  return groups.reverse()
}

function mayShareCue(units: readonly Unit[]): boolean {
  return durationMs(units) <= MAX_CUE_MS && fitsTwoLines(units)
}

/** Filling the first line as far as it goes finds out whether any division fits, and quickly: a day has 200,000 words. */
function fitsTwoLines(units: readonly Unit[]): boolean {
  const rest = units.findIndex((_unit, index) => !fitsLine(units.slice(0, index + 1)))
  return rest < 0 || fitsLine(units.slice(rest))
}

function durationMs(units: readonly Unit[]): number {
  return (units.at(-1)?.endMs ?? 0) - (units[0]?.startMs ?? 0)
}

/** Few cues, none of them hurried, and of like length: squares grow faster than their sides. */
function cueCost(units: readonly Unit[]): number {
  const hurry = Math.max(0, COMFORTABLE_CUE_MS - durationMs(units)) / COMFORTABLE_CUE_MS
  const fullness = lengthOf(units) / (2 * MAX_LINE_CHARACTERS)
  return 1 + hurry + fullness ** 2 / 2
}

/** How much it disturbs to end a cue between these two: nothing after a sentence, most inside a word. */
function breakCost(before: Unit | undefined, after: Unit | undefined): number {
  if (!before || !after) return 0
  if (after.isGlued) return 3
  if (before.endsSegment || /[.!?…]["'”’»)\]]*$/u.test(before.text)) return 0
  if (after.startMs - before.endMs >= PAUSE_MS) return 0.1
  if (/[,;:–—]$/u.test(before.text)) return 0.3
  return LEADING_WORDS.has(before.text.toLowerCase()) ? 1.6 : 1
}

/** One line if it fits, else the two that are most alike. */
function linesOf(units: readonly Unit[]): string[] {
  let best = { lines: [joined(units)], cost: Infinity }
  if (fitsLine(units)) return best.lines
  for (let cut = 1; cut < units.length; cut++) {
    const halves = [units.slice(0, cut), units.slice(cut)]
    if (!halves.every(fitsLine)) continue
    const [top = '', bottom = ''] = halves.map(joined)
    const unlikeness = Math.abs(top.length - bottom.length) / MAX_LINE_CHARACTERS
    const cost = unlikeness + breakCost(units[cut - 1], units[cut]) / 2
    if (cost < best.cost) best = { lines: [top, bottom], cost }
  }
  return best.lines
}

/** A word longer than a line stands alone on its line: hyphenating Danish compounds is beyond us. */
function fitsLine(units: readonly Unit[]): boolean {
  return units.length === 1 || lengthOf(units) <= MAX_LINE_CHARACTERS
}

function lengthOf(units: readonly Unit[]): number {
  return units.reduce((sum, unit, index) => sum + unit.text.length + (index > 0 && !unit.isGlued ? 1 : 0), 0)
}

function joined(units: readonly Unit[]): string {
  return units.map((unit, index) => (index > 0 && !unit.isGlued ? ` ${unit.text}` : unit.text)).join('')
}

function timed(groups: readonly Unit[][]): Cue[] {
  const cues: Cue[] = []
  for (const [index, units] of groups.entries()) {
    const startMs = Math.max(units[0]?.startMs ?? 0, cues.at(-1)?.endMs ?? 0)
    const nextStartMs = groups[index + 1]?.[0]?.startMs ?? Infinity
    const spokenUntilMs = Math.min(units.at(-1)?.endMs ?? startMs, startMs + MAX_CUE_MS)
    const readUntilMs = startMs + Math.max(COMFORTABLE_CUE_MS, (lengthOf(units) / READING_SPEED) * 1000)
    const endMs = Math.min(Math.max(spokenUntilMs, Math.round(readUntilMs)), nextStartMs)
    cues.push({
      startMs,
      endMs: Math.max(endMs, startMs + MIN_CUE_MS),
      lines: linesOf(units),
    })
  }
  return cues
}
