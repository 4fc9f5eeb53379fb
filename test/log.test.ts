import { expect, test } from 'vitest'
import { createLog, type LogLevel } from '../src/log.ts'

function logAt(level: LogLevel) {
  const lines: string[] = []
  return { log: createLog(level, (line) => lines.push(line)), lines }
}

test('an entry is one line of JSON with its time, level, message and facts', () => {
  const { log, lines } = logAt('info')

  log.info('listening', { url: 'http://127.0.0.1:8000', note: 'two\nlines' })

  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^[^\n]+\n$/)
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    level: 'info',
    message: 'listening',
    url: 'http://127.0.0.1:8000',
    note: 'two\nlines',
  })
})

test.each([
  ['debug', ['debug', 'info', 'warn', 'error']],
  ['info', ['info', 'warn', 'error']],
  ['warn', ['warn', 'error']],
  ['error', ['error']],
  ['silent', []],
] as const)('at level %s it says %j', (level, said) => {
  const { log, lines } = logAt(level)

  log.debug('x')
  log.info('x')
  log.warn('x')
  log.error('x')

  expect(lines.map((line) => JSON.parse(line).level)).toEqual(said)
})

test('an error is logged with its stack and all its causes', () => {
  const { log, lines } = logAt('error')

  log.error('it broke', { error: new Error('outer', { cause: new Error('inner', { cause: 'the disk' }) }) })

  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    error: {
      message: 'outer',
      stack: expect.stringContaining('log.test.ts'),
      cause: { message: 'inner', cause: 'the disk' },
    },
  })
})
