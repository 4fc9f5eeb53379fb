import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { KNOWN_MODELS, knownAsMarkdown } from '../../src/models/known-models.ts'
import { readConfig } from '../../src/config.ts'

test('the table of docs/models.md is the one of the code', async () => {
  const document = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'models.md'), 'utf8')

  expect(document).toContain(`\n${knownAsMarkdown()}\n`)
})

test('every model is there once, with a source and a date for its figure, and the default among them', () => {
  const ids = KNOWN_MODELS.map(({ id }) => id)

  expect(new Set(ids).size).toBe(ids.length)
  expect(ids).toContain(readConfig({}).model)
  for (const { wer } of KNOWN_MODELS) expect([wer.source, wer.testSet, wer.date].every(Boolean)).toBe(true)
})
