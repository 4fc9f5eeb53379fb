import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SETTINGS_TABLE } from '../src/config.ts'
import { endpointSummaries } from '../src/http/openapi.ts'

const readme = await readFile(join(import.meta.dirname, '..', 'README.md'), 'utf8')

test('the table of settings says what the code reads, no more and no less', () => {
  const rows = [...readme.matchAll(/^\| `([A-Z0-9_]+)` \| (?:`([^`]*)`)? ?\| (.+) \|$/gm)].map(
    ([, name, fallback = '', about]) => ({ name, fallback, about }),
  )

  expect(rows).toEqual(SETTINGS_TABLE)
})

test('the table of endpoints says what is served, no more and no less', () => {
  const rows = [...readme.matchAll(/^\| `((?:GET|HEAD|POST|PATCH|DELETE|OPTIONS) [^`]+)` \|/gm)].map(
    ([, endpoint]) => endpoint,
  )

  expect(new Set(rows)).toEqual(new Set(Object.keys(endpointSummaries())))
})
