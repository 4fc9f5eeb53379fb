// The frame: which checks there are, that none can stop the others, and how it is all written.
import { expect, test } from 'vitest'
import { type Check, checksOf, examine } from '../../src/doctor/examine.ts'
import { ok, reasonOf, warn } from '../../src/doctor/finding.ts'
import { hasFailure, toJson, toLines, toSummary } from '../../src/doctor/report.ts'
import { configWith, madeUpWorld, rejecting } from './made-up-world.ts'

async function all(checks: readonly Check[]) {
  const findings = []
  for await (const finding of examine(checks)) findings.push(finding)
  return findings
}

test('a check that throws, or never answers, has failed, and the next one is made', async () => {
  const findings = await all([
    { name: 'throws', deadlineMs: 60_000, look: rejecting('broken\nand more') },
    { name: 'hangs', deadlineMs: 1, look: () => new Promise(() => {}) },
    { name: 'works', deadlineMs: 60_000, look: async () => ok('works', 'well') },
  ])

  expect(findings).toMatchObject([
    { name: 'throws', state: 'fail', says: 'could not be looked at: broken' },
    { name: 'hangs', state: 'fail', says: 'no answer within 0.001 s' },
    { name: 'works', state: 'ok' },
  ])
})

const LOCAL =
  'node python torch driver gpu arithmetic memory ffmpeg isolation data disk keys jobs model transcription repairs'

test.each([
  ['nothing else', {}, false, ''],
  ['a name', { SITE_ADDRESS: 'stt.example.org' }, false, ' name ports certificate'],
  ['a name behind another proxy', { SITE_ADDRESS: 'http://stt.example.org' }, false, ' name ports'],
  ['leave to ask the Internet', {}, true, ' clock ports router'],
  ['both', { SITE_ADDRESS: 'stt.example.org' }, true, ' clock name ports router certificate'],
])('with %s, these are the checks', async (_what, environment, isOnline, network) => {
  const world = madeUpWorld({ filesIn: async () => undefined, directoriesIn: async () => undefined })
  const checks = await checksOf({ config: configWith({}), environment, isOnline }, world)

  expect(checks.map(({ name }) => name).join(' ')).toBe(LOCAL + network)
})

test('without leave nobody on the Internet is asked for our address', async () => {
  const world = madeUpWorld({
    filesIn: async () => undefined,
    directoriesIn: async () => undefined,
    resolve: async () => ['203.0.113.7'],
  })
  const subject = {
    config: configWith({}),
    environment: { SITE_ADDRESS: 'stt.example.org' },
    isOnline: false,
  }
  const checks = await checksOf(subject, world)

  expect(await all(checks.filter(({ name }) => name === 'name'))).toMatchObject([{ state: 'ok' }])
})

test('a whole world that does not answer is a list of findings, not an exception', async () => {
  const answers = { filesIn: async () => undefined, directoriesIn: async () => undefined }
  const checks = await checksOf(
    { config: configWith({}), environment: {}, isOnline: true },
    madeUpWorld(answers),
  )
  const findings = await all(checks)

  expect(findings.map(({ name }) => name).join(' ')).toBe(`${LOCAL} clock ports router`)
  expect(hasFailure(findings)).toBe(true)
})

test('a finding is a line, and what mends it the next one', () => {
  expect(toLines(ok('node', 'Node 24'))).toBe('ok    node           Node 24\n')
  expect(toLines(warn('keys', 'none', 'make one'))).toBe(
    'warn  keys           none\n                     → make one\n',
  )
})

test('the end of the list is counted, for people and for programs', () => {
  const findings = [ok('node', 'Node 24'), warn('keys', 'none', 'make one')]

  expect(toSummary(findings)).toBe('\n1 ok, 1 warn, 0 fail\n')
  expect(JSON.parse(toJson(findings))).toEqual({ ok: true, findings })
})

test.each([
  [
    'fetch, which only says that it failed',
    new TypeError('fetch failed', { cause: new Error('ENOTFOUND') }),
    'ENOTFOUND',
  ],
  ['Promise.any', new AggregateError([new Error('one'), new Error('two')], 'all'), 'one'],
  ['an error without words', new Error(''), 'no reason was given'],
])('the reason of %s is the one behind it', (_what, error, reason) => {
  expect(reasonOf(error)).toBe(reason)
})
