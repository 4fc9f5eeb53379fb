import { expect, test } from 'vitest'
import { newSpanId, traceContext } from '../../src/tracing/trace-context.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'

test.each([
  ['sampled', `00-${TRACE}-${PARENT}-01`, true],
  ['not sampled', `00-${TRACE}-${PARENT}-00`, false],
  ['with flags that nobody knows yet', `00-${TRACE}-${PARENT}-03`, true],
  ['of a later version, with more behind it', `cc-${TRACE}-${PARENT}-01-what-the-future-holds`, true],
])('a traceparent is taken up: %s', (_what, header, isSampled) => {
  expect(traceContext(header)).toEqual({ traceId: TRACE, parentId: PARENT, isSampled })
})

test.each([
  ['none', undefined],
  ['an empty one', ''],
  ['of a version that is forbidden', `ff-${TRACE}-${PARENT}-01`],
  ['of version 00 with more behind it', `00-${TRACE}-${PARENT}-01-more`],
  ['without a trace', `00-${'0'.repeat(32)}-${PARENT}-01`],
  ['without a span', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['in capitals', `00-${TRACE.toUpperCase()}-${PARENT}-01`],
  ['too short', `00-${TRACE}-${PARENT}`],
])('where there is no good traceparent (%s) a trace begins', (_what, header) => {
  const [one, other] = [traceContext(header), traceContext(header)]

  expect(one).toEqual({ traceId: expect.stringMatching(/^[0-9a-f]{32}$/), isSampled: true })
  expect(one.traceId).not.toBe(other.traceId)
})

test('a span has a number of its own', () => {
  expect(newSpanId()).toMatch(/^[0-9a-f]{16}$/)
  expect(newSpanId()).not.toBe(newSpanId())
})
