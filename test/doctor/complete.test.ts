// That no line is without a test for good and for bad, and none without a row in the documentation: the names come from the code.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LINES } from '../../src/doctor/lines.ts'
import { AILMENTS, findingsOf } from './box.ts'

const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'doctor.md'), 'utf8')

test('on a healthy box every line there is appears, in its order, and is ok', async () => {
  const findings = await findingsOf()

  expect(findings.map(({ name }) => name)).toEqual(LINES)
  expect(findings.filter(({ state }) => state !== 'ok')).toEqual([])
})

test.each(LINES)('%s can be found bad', (line) => {
  expect(Object.keys(AILMENTS[line])).not.toEqual([])
})

const each = LINES.flatMap((line) =>
  Object.entries(AILMENTS[line]).map(([what, ailment]) => [line, what, ailment] as const),
)

test.each(each)('%s: %s', async (line, _what, ailment) => {
  const finding = (await findingsOf(ailment)).find(({ name }) => name === line)

  expect(finding).toMatchObject({ state: ailment.state, says: expect.stringMatching(/./) })
  expect(finding?.mend).toMatch(/./)
})

test('docs/doctor.md has a row for each line, in the same order', () => {
  const rows = [...page.matchAll(/^\| `([a-z]+)` \|/gm)].map(([, name]) => name)

  expect(rows).toEqual(LINES)
})
