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

const OF_THE_ENGINE = 'python torch driver cuda gpu arithmetic memory ffmpeg isolation '
const KEPT = 'data disk keys jobs'
const LOCAL = `node ${OF_THE_ENGINE}${KEPT} model transcription repairs clock`

test.each([
  ['nothing else', {}, false, LOCAL],
  ['a name', { SITE_ADDRESS: 'stt.example.org' }, false, `${LOCAL} name ports certificate`],
  ['a name behind another proxy', { SITE_ADDRESS: 'http://stt.example.org' }, false, `${LOCAL} name ports`],
  ['leave to ask the Internet', {}, true, `${LOCAL} ports router`],
  ['both', { SITE_ADDRESS: 'stt.example.org' }, true, `${LOCAL} name ports router certificate`],
  ['no engine', { ROLE: 'api' }, false, `node ${KEPT} clock`],
  ['COMPILE=on', { COMPILE: 'on' }, false, LOCAL.replace('memory', 'memory compiler')],
  ['a cache', { CUDA_CACHE_PATH: '/cache' }, false, LOCAL.replace('data', 'caches data')],
  ['a queue', { QUEUE_URL: 'redis://cellar' }, false, LOCAL.replace('jobs', 'jobs queue')],
  ['a bucket', { S3_STORAGE_BUCKET: 'recordings' }, false, LOCAL.replace('jobs', 'jobs objects')],
])('with %s, these are the checks', async (_what, environment, isOnline, expected) => {
  const world = madeUpWorld({
    filesIn: async () => undefined,
    directoriesIn: async () => undefined,
    readText: rejecting('no such file'),
  })
  const subject = { config: configWith(environment), environment, isOnline, isContainer: false }
  const checks = await checksOf(subject, world)

  expect(checks.map(({ name }) => name).join(' ')).toBe(expected)
})

test('without leave nobody on the Internet is asked for our address', async () => {
  const world = madeUpWorld({
    filesIn: async () => undefined,
    directoriesIn: async () => undefined,
    readText: rejecting('no such file'),
    resolve: async () => ['203.0.113.7'],
  })
  const subject = {
    config: configWith({}),
    environment: { SITE_ADDRESS: 'stt.example.org' },
    isOnline: false,
    isContainer: false,
  }
  const checks = await checksOf(subject, world)

  expect(await all(checks.filter(({ name }) => name === 'name'))).toMatchObject([{ state: 'ok' }])
})

test('a whole world that does not answer is a list of findings, not an exception', async () => {
  const answers = {
    filesIn: async () => undefined,
    directoriesIn: async () => undefined,
    readText: rejecting('no such file'),
  }
  const checks = await checksOf(
    { config: configWith({}), environment: {}, isOnline: true, isContainer: false },
    madeUpWorld(answers),
  )
  const findings = await all(checks)

  expect(findings.map(({ name }) => name).join(' ')).toBe(`${LOCAL} ports router`)
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
