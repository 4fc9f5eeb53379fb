// Spans on their way over real HTTP to something that takes them, or does not.
import { expect, onTestFinished, test } from 'vitest'
import { Collector } from '../../src/tracing/collector.ts'
import type { Span } from '../../src/tracing/request-trace.ts'
import { recordingLog } from '../engine/children.ts'
import { attributesOf, startCollector } from './collector-server.ts'

const span = (name: string, more: Partial<Span> = {}): Span => ({
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  name,
  kind: 'server',
  startMs: 1_790_000_000_000.25,
  endMs: 1_790_000_000_001.5,
  attributes: {},
  hasFailed: false,
  ...more,
})

async function start() {
  const server = await startCollector()
  onTestFinished(() => server[Symbol.asyncDispose]())
  const { log, entries } = recordingLog()
  const service = { name: 'a service', version: '1.2.3' }
  const collector = new Collector({ endpoint: `${server.endpoint}/`, service, log, gatherMs: 1 })
  return { server, collector, warnings: () => entries.filter(({ level }) => level === 'warn') }
}

test('spans arrive as OTLP has them, gathered', async () => {
  const { server, collector } = await start()

  collector.send([
    span('POST /x', { parentId: 'c'.repeat(16), attributes: { text: 'a', whole: 2, part: 0.5 } }),
  ])
  collector.send([span('inside', { kind: 'internal', hasFailed: true })])
  await expect.poll(() => server.spans().length).toBe(2)

  expect(server.requests).toMatchObject([{ method: 'POST', url: '/v1/traces' }])
  expect(server.resources()).toEqual([{ 'service.name': 'a service', 'service.version': '1.2.3' }])
  const [first, second] = server.spans()
  expect(first).toEqual({
    traceId: 'a'.repeat(32),
    spanId: 'b'.repeat(16),
    parentSpanId: 'c'.repeat(16),
    name: 'POST /x',
    kind: 2,
    startTimeUnixNano: '1790000000000250000',
    endTimeUnixNano: '1790000000001500000',
    attributes: [
      { key: 'text', value: { stringValue: 'a' } },
      { key: 'whole', value: { intValue: '2' } },
      { key: 'part', value: { doubleValue: 0.5 } },
    ],
  })
  expect(second).toMatchObject({ kind: 1, status: { code: 2 } })
  expect(attributesOf(second ?? { attributes: [] })).toEqual({})
})

test('what has not been sent when the server ends is sent then', async () => {
  const { server, collector } = await start()
  collector.send([span('the last one')])

  await collector[Symbol.asyncDispose]()

  expect(server.spans()).toMatchObject([{ name: 'the last one' }])
})

test('a collector that refuses, or is not there, is complained of once, until it has worked again', async () => {
  const { server, collector, warnings } = await start()
  const sent = async (name: string) => {
    const before = server.requests.length
    collector.send([span(name)])
    await expect.poll(() => server.requests.length).toBe(before + 1)
  }
  server.answer.status = 503
  for (const name of ['lost', 'lost too']) await sent(name)
  await expect.poll(warnings).toHaveLength(1)
  server.answer.status = 200
  await sent('arrived')
  server.answer.status = 404
  await sent('lost again')

  await expect.poll(warnings).toHaveLength(2)
  await server[Symbol.asyncDispose]()
  collector.send([span('to nobody')])
  await collector[Symbol.asyncDispose]()
  expect(warnings()).toHaveLength(2)
})

test('of more than can wait the later ones are dropped, whole requests at a time', async () => {
  const { server, collector } = await start()
  for (let request = 0; request < 3000; request++) collector.send([span(String(request)), span('inside')])

  await collector[Symbol.asyncDispose]()

  expect(server.spans()).toHaveLength(2048)
  expect(server.spans().at(-2)?.name).toBe('1023')
})
