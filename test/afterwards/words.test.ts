import fc from 'fast-check'
import { expect, test } from 'vitest'
import { wordDistance, wordsOf } from '../../src/afterwards/words.ts'

/** The textbook's whole table, to hold the narrow one against. */
function wholeTable(from: readonly string[], to: readonly string[]): number {
  let row = Array.from({ length: to.length + 1 }, (_unused, index) => index)
  for (const [index, word] of from.entries()) {
    const next = [index + 1]
    for (const [column, other] of to.entries()) {
      const kept = (row[column] ?? 0) + (word === other ? 0 : 1)
      next.push(Math.min(kept, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}

test('the distance is that of the whole table, as far as one looks', () => {
  const words = fc.array(fc.constantFrom('rød', 'grød', 'med', 'fløde'), { maxLength: 12 })

  fc.assert(
    fc.property(words, words, fc.nat(14), (from, to, most) => {
      expect(wordDistance(from, to, most)).toBe(Math.min(wholeTable(from, to), most + 1))
    }),
    { numRuns: 500 },
  )
})

test('case, punctuation and line breaks make no words', () => {
  expect(wordsOf('Rødgrød,\n\nmed FLØDE! Nr. 7.')).toEqual(['rødgrød', 'med', 'fløde', 'nr', '7'])
})
