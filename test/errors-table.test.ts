// docs/errors.md against the code: the table must be what a client can really be told.
import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openApiDocument } from '../src/http/openapi.ts'
import { FAILURES, type FailureCode } from '../src/failure.ts'

const ROOT = join(import.meta.dirname, '..')
const document = await readFile(join(ROOT, 'docs', 'errors.md'), 'utf8')
const files = await Array.fromAsync(glob('src/**/*.ts', { cwd: ROOT }))
const sources = await Promise.all(files.map((file) => readFile(join(ROOT, file), 'utf8')))

const ROW = /^\| (\d+) \| `(\w+)` \| `(\w+)` \| ([^|]+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$/gm
const rows = [...document.matchAll(ROW)].map(([, status, code = '', type, param, example = '', again]) => ({
  status: Number(status),
  code: code as FailureCode,
  type,
  param,
  example,
  again,
}))

test('the table has a row for each failure, with its status and type, and no other rows', () => {
  const told = Object.fromEntries(rows.map(({ code, status, type }) => [code, { status, type }]))

  expect(told).toEqual(FAILURES)
  expect(rows).toHaveLength(Object.keys(FAILURES).length)
})

test('each failure is made somewhere: there are no dead rows', () => {
  const made = sources.flatMap((source) =>
    [...source.matchAll(/new Failure\(\s*([^,]+),/g)].flatMap(([, first = '']) =>
      [...first.matchAll(/'(\w+)'/g)].map(([, code]) => code),
    ),
  )

  for (const code of Object.keys(FAILURES)) expect(made).toContain(code)
})

test.each(rows)('the example of $code is a sentence that the code can say', ({ example }) => {
  expect(sentences().some((sentence) => sentence.test(example))).toBe(true)
})

test.each(rows)('$code: whoever may come back later is told when', ({ status, again }) => {
  expect(again === 'after `retry-after`').toBe(status === 503 || status === 429)
})

test('the OpenAPI document names every status that an upload can be answered with, and none that cannot be', () => {
  // A path that is not described has no place there; nor has what is said before a path is known, or to nobody.
  const elsewhere = new Set([404, 405, 409, 410, 412, 431, 499])
  const expected = rows.map(({ status }) => status).filter((status) => !elsewhere.has(status))

  const operations = Object.values(openApiDocument().paths ?? {})
    .flatMap(({ post }) => post ?? [])
    .filter(
      ({ requestBody = { content: {} } }) => 'content' in requestBody && takesRecordings(requestBody.content),
    )
  expect(operations.length).toBeGreaterThan(3)
  for (const { responses = {} } of operations) {
    const named = Object.keys(responses).map(Number)
    expect(named).toEqual(expect.arrayContaining([200, ...new Set(expected)]))
    expect([...new Set([200, 202, 404, 409, ...expected])]).toEqual(expect.arrayContaining(named))
  }
})

/** At once, as a form or in JSON. */
function takesRecordings(content: object): boolean {
  return 'multipart/form-data' in content && 'application/json' in content
}

/** Every text in the source that is long enough to be a sentence; what is put in may be anything. */
function sentences(): RegExp[] {
  const withoutComments = sources.map((source) => source.replace(/^\s*(\/\*\*|\*|\/\/).*$/gm, ''))
  const texts = withoutComments.flatMap((source) =>
    [...source.matchAll(/'((?:[^'\\\n]|\\.)+)'|`((?:[^`\\]|\\.)+)`/g)].map(([, plain, template]) => ({
      text: plain ?? template ?? '',
    })),
  )
  return texts
    .filter(({ text }) => text.replace(/\$\{[^}]*\}/g, '').length > 12)
    .map(
      ({ text }) =>
        new RegExp(
          `^${text
            .split(/\$\{[^}]*\}/)
            .map((piece) => RegExp.escape(piece))
            .join('.*')}$`,
        ),
    )
}
