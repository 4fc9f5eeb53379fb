import { expect, test } from 'vitest'
import { Counter, Gauge, Histogram } from '../src/instruments.ts'
import { readExposition, valueOf } from './exposition.ts'

test('a counter rises, for each combination of its labels alone, and never falls', () => {
  const counter = new Counter({ name: 'tries_total', help: 'Tries', labels: ['who', 'how'] })

  counter.add(1, { who: 'a', how: 'x' })
  counter.add(2.5, { how: 'x', who: 'a' })
  counter.add(0, { who: 'b', how: 'x' })

  expect(counter.expose()).toBe(
    '# HELP tries_total Tries\n# TYPE tries_total counter\ntries_total{who="a",how="x"} 3.5\ntries_total{who="b",how="x"} 0\n',
  )
  expect(() => counter.add(-1, { who: 'a', how: 'x' })).toThrow(RangeError)
})

test('a gauge is what it has become, and what is not known has no series', () => {
  const gauge = new Gauge({ name: 'state', help: 'State', labels: ['of'] })
  gauge.become([1, { of: 'a' }], [2, { of: 'b' }])

  gauge.become([undefined, { of: 'a' }], [0, { of: 'c' }])

  expect(gauge.expose()).toBe('# HELP state State\n# TYPE state gauge\nstate{of="c"} 0\n')
})

test('what is in a label or a help text cannot break the format', () => {
  const gauge = new Gauge({ name: 'odd', help: 'a \\ b\nc', labels: ['text'] })
  const text = 'a "quoted" \\ back\nslash, and="more"} 7'

  gauge.become([1, { text }])

  const families = readExposition(gauge.expose())
  expect(gauge.expose().split('\n')).toHaveLength(4)
  expect(valueOf(families, 'odd', { text })).toBe(1)
})

test('a histogram counts into every bucket above a value; a value on a bound is below it', () => {
  const histogram = new Histogram({ name: 'seconds', help: 'Seconds', labels: ['of'] }, [0.5, 2])

  for (const value of [0.1, 0.5, 1, 2.5, 100]) histogram.observe(value, { of: 'a' })

  expect(histogram.expose().split('\n').slice(2, -1)).toEqual([
    'seconds_bucket{of="a",le="0.5"} 2',
    'seconds_bucket{of="a",le="2"} 3',
    'seconds_bucket{of="a",le="+Inf"} 5',
    'seconds_sum{of="a"} 104.1',
    'seconds_count{of="a"} 5',
  ])
})

test.each([
  [Number.POSITIVE_INFINITY, '+Inf'],
  [Number.NEGATIVE_INFINITY, '-Inf'],
  [Number.NaN, 'NaN'],
  [1e21, '1e+21'],
])('%s is written as %s', (value, written) => {
  const gauge = new Gauge({ name: 'odd', help: 'Odd' })
  gauge.become([value, {}])

  expect(gauge.expose()).toContain(`\nodd ${written}\n`)
})

test.each([
  ['a sample without a type', 'a 1\n', 'not of'],
  ['a series twice', '# HELP a A\n# TYPE a gauge\na 1\na 2\n', 'twice'],
  ['a label that does not end', '# HELP a A\n# TYPE a gauge\na{b="c} 1\n', 'labels'],
  ['a value that is none', '# HELP a A\n# TYPE a gauge\na one\n', 'no sample'],
  [
    'buckets that fall',
    '# HELP a A\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
    'no histogram',
  ],
  ['no end', '# HELP a A\n# TYPE a gauge\na 1', 'does not end'],
])('the reader that these tests trust refuses %s', (_what, text, complaint) => {
  expect(() => readExposition(text)).toThrow(complaint)
})
