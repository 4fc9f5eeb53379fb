// What a trace tells of a request through the whole app, over the road on fakes.
import { expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import type { Span } from '../../src/tracing/request-trace.ts'
import { DONE, road } from '../road.ts'
import { form, startParts } from './parts.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'
const ROUTE = '/v1/audio/transcriptions'

async function start(more: Parameters<typeof road>[0] = {}, settings: Record<string, string> = {}) {
  const traces: (readonly Span[])[] = []
  const { transcriber } = road(more)
  const sendSpans = (spans: readonly Span[]) => void traces.push(spans)
  const server = await startParts(settings, {}, { transcriber, sendSpans })
  const post = (fields = {}, headers = {}) =>
    Promise.resolve(server.app.request(ROUTE, { method: 'POST', body: form(fields), headers }))
  return { ...server, traces, post }
}

test('a request is a span, and its stages are spans in it, in the caller’s trace', async () => {
  const clock = { nowMs: 0 }
  await using server = await start({
    clock,
    run: async function* () {
      clock.nowMs += 3000
      yield DONE
    },
  })

  const response = await server.post({}, { traceparent: `00-${TRACE}-${PARENT}-01` })
  await response.text()

  expect(server.traces).toHaveLength(1)
  const [whole, ...stages] = server.traces[0] ?? []
  expect(whole).toMatchObject({
    traceId: TRACE,
    parentId: PARENT,
    name: `POST ${ROUTE}`,
    kind: 'server',
    hasFailed: false,
    attributes: {
      'http.request.method': 'POST',
      'http.route': ROUTE,
      'http.response.status_code': 200,
      'hviske.request_id': response.headers.get('x-request-id'),
    },
  })
  expect(stages.map(({ name }) => name).toSorted()).toEqual(
    ['upload', 'wait for decoding', 'decode', 'wait for engine', 'engine'].toSorted(),
  )
  for (const stage of stages) {
    expect(stage).toMatchObject({
      traceId: TRACE,
      parentId: whole?.spanId,
      kind: 'internal',
      hasFailed: false,
    })
    expect(stage.endMs).toBeLessThanOrEqual(whole?.endMs ?? 0)
  }
  const engine = stages.find(({ name }) => name === 'engine')
  expect((engine?.endMs ?? 0) - (engine?.startMs ?? 0)).toBe(3000)
  expect(new Set([whole, ...stages].map((span) => span?.spanId)).size).toBe(6)
  expect(server.logged.find(({ message }) => message === 'request')).toMatchObject({ traceId: TRACE })
})

test.each([
  ['a client’s mistake is no failure of the server', { temperature: 'warm' }, 400, 'invalid_value', false],
  ['ours is', {}, 500, 'engine_failed', true],
  ['a stream that breaks off is, whatever it began with', { stream: 'true' }, 200, 'engine_failed', true],
])('%s', async (_what, fields, status, code, hasFailed) => {
  await using server = await start({
    run: async function* () {
      yield { kind: 'delta', text: ' Toget' }
      throw new Failure('engine_failed', 'It could not.')
    },
  })

  await (await server.post(fields)).text()

  await expect.poll(() => server.traces.length).toBe(1)
  expect(server.traces[0]?.[0]).toMatchObject({
    hasFailed,
    attributes: { 'http.response.status_code': status, 'error.type': code },
  })
})

test('a trace that its caller does not keep is not told, and neither are the questions of probes', async () => {
  await using server = await start()

  await (await server.post({}, { traceparent: `00-${TRACE}-${PARENT}-00` })).text()
  for (const path of ['/health', '/livez', '/metrics']) await server.app.request(path)

  expect(server.traces).toEqual([])
})

test('what a stranger asks for is in no span', async () => {
  await using server = await start({}, { API_KEYS: 'key' })

  await server.app.request('/secret-path?and=query')

  expect(server.traces[0]?.[0]).toMatchObject({
    name: 'GET none',
    attributes: { 'error.type': 'invalid_api_key' },
  })
  expect(JSON.stringify(server.traces)).not.toMatch(/secret|query/)
})

test('without a collector nothing is traced', async () => {
  await using server = await startParts()

  await (await server.app.request(ROUTE, { method: 'POST', body: form() })).text()

  expect(server.logged.find(({ message }) => message === 'request')).not.toHaveProperty('traceId')
})
