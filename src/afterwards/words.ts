/**
 * How far one text is from another, in words. What a language model gives back is held against what it was given: it may
 * not say what nobody said. Pure.
 */

/** Words as they are compared: case and punctuation make no difference. */
export function wordsOf(text: string): string[] {
  return text
    .normalize('NFC')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean)
}

/**
 * The least number of words to be changed, left out or put in to make the one out of the other (Levenshtein), but no more than
 * `most` + 1: looking further costs time and changes nothing. Time and memory grow with the length times `most`.
 */
export function wordDistance(from: readonly string[], to: readonly string[], most: number): number {
  const beyond = most + 1
  if (Math.abs(from.length - to.length) > most) return beyond
  let row = Array.from({ length: to.length + 1 }, (_unused, index) => Math.min(index, beyond))
  for (const [index, word] of from.entries()) {
    const next = Array.from({ length: to.length + 1 }, () => beyond)
    if (index < most) next[0] = index + 1
    const first = Math.max(1, index + 1 - most)
    const last = Math.min(to.length, index + 1 + most)
    for (let column = first; column <= last; column++) {
      const kept = (row[column - 1] ?? beyond) + (word === to[column - 1] ? 0 : 1)
      next[column] = Math.min(kept, (row[column] ?? beyond) + 1, (next[column - 1] ?? beyond) + 1, beyond)
    }
    row = next
  }
  return row[to.length] ?? beyond
}
