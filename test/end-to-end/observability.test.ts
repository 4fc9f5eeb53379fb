// What an operator sees of the real server with the real tiny model: its metrics, its probes and its log.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readExposition, valueOf } from '../exposition.ts'
import { hasPromtool, promtool, WHY_SKIPPED } from '../observability/promtool.ts'
import { attributesOf, startCollector } from '../tracing/collector-server.ts'
import { AUDIO, type RunningServer, startServer } from './server.ts'

const KEY = 'sk-our-own-key'
const PROMPT = 'Sønderjylland'
const FILE = 'fortroligt.wav'

let server: RunningServer
let collector: Awaited<ReturnType<typeof startCollector>>
/** What the recordings said. */
const texts: string[] = []
beforeAll(async () => {
  collector = await startCollector()
  const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_SERVICE_NAME: 'the-test' }
  server = await startServer({ API_KEYS: KEY, LOG_LEVEL: 'debug', ...traced })
  const post = async (file: Uint8Array<ArrayBuffer>, fields: Record<string, string>) => {
    const body = new FormData()
    for (const [name, value] of Object.entries({ prompt: PROMPT, ...fields })) body.append(name, value)
    body.append('file', new File([file], FILE))
    const headers = { authorization: `Bearer ${KEY}` }
    const response = await fetch(`${server.url}/v1/audio/transcriptions`, { method: 'POST', headers, body })
    return response.text()
  }
  const danish = new Uint8Array(await readFile(join(AUDIO, 'da.wav')))
  texts.push((JSON.parse(await post(danish, { response_format: 'json' })) as { text: string }).text)
  await post(danish, { stream: 'true', response_format: 'text', temperature: '0.1' })
  await post(new TextEncoder().encode('this is no audio'), {})
})
afterAll(async () => {
  await server.stop()
  await collector[Symbol.asyncDispose]()
})

const scrape = async () => {
  const response = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${KEY}` } })
  return response.text()
}
const status = async (path: string) => (await fetch(`${server.url}${path}`)).status

test('the road, the engine and the model have left their figures', async () => {
  const families = readExposition(await scrape())
  const value = (name: string, labels = {}) => valueOf(families, name, labels) ?? 0

  // The first one was the silence with which the helper waits for the model.
  expect(value('hviske_recordings_total')).toBe(3)
  expect(value('hviske_heard_seconds_total')).toBeCloseTo(value('hviske_recording_seconds_sum'), 1)
  expect(value('hviske_recording_seconds_sum')).toBeGreaterThan(5)
  expect(value('hviske_windows_total')).toBeGreaterThanOrEqual(2)
  expect(value('hviske_decode_seconds_count')).toBe(3)
  expect(value('hviske_queue_wait_seconds_count', { queue: 'engine' })).toBe(3)
  expect(value('hviske_queue_wait_seconds_count', { queue: 'decoding' })).toBe(4)
  for (const stage of ['encode', 'decode'])
    expect(value('hviske_model_seconds_total', { stage })).toBeGreaterThan(0)
  expect(value('hviske_failures_total', { code: 'invalid_audio' })).toBe(1)
  expect(value('hviske_engine_starts_total')).toBe(1)
  expect(value('hviske_engine_last_load_seconds')).toBeGreaterThan(0)
  expect(value('hviske_model_info', { model: 'models/tiny-da', device: 'cpu' })).toBe(1)
})

test.skipIf(process.platform !== 'linux')('the child’s memory is told beside Node’s', async () => {
  const families = readExposition(await scrape())

  for (const name of ['hviske_engine_resident_memory_bytes', 'process_resident_memory_bytes'])
    expect(valueOf(families, name)).toBeGreaterThan(50_000_000)
  expect(valueOf(families, 'process_open_fds')).toBeGreaterThan(5)
})

test.skipIf(!hasPromtool)(`promtool has nothing to say against it${WHY_SKIPPED}`, async () => {
  expect(promtool(['check', 'metrics'], await scrape())).toEqual({ status: 0, output: '' })
})

test('the probes need no key', async () => {
  expect(await Promise.all(['/livez', '/readyz', '/startupz', '/metrics'].map(status))).toEqual([
    200, 200, 200, 401,
  ])
})

test('each recording has its line, with its figures', () => {
  const lines = server
    .log()
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ message, path }) => message === 'request' && path === '/v1/audio/transcriptions')

  expect(lines).toHaveLength(4)
  expect(lines[1]).toMatchObject({
    status: 200,
    client: expect.stringMatching(/^[0-9a-f]{12}$/),
    task: 'transcribe',
    streamed: false,
    audioSeconds: expect.any(Number),
    queueSeconds: expect.any(Number),
    decodeSeconds: expect.any(Number),
    engineSeconds: expect.any(Number),
    rtf: expect.any(Number),
  })
  expect(lines[2]).toMatchObject({ status: 200, streamed: true, rtf: expect.any(Number) })
  expect(lines[3]).toMatchObject({ status: 400, code: 'invalid_audio' })
})

test('nothing that was said or asked, no key and no name of a file is in the log, not even at debug', () => {
  const log = server.log().join('\n')
  const words = texts.flatMap((text) => text.split(' ')).filter((word) => word.length > 5)

  expect(words.length).toBeGreaterThan(2)
  for (const secret of [KEY, PROMPT, FILE, ...texts, ...words]) expect(log).not.toContain(secret)
})

test('each recording is a trace at the collector, with its stages', async () => {
  const route = '/v1/audio/transcriptions'
  const requests = () =>
    collector.spans().filter((span) => span.kind === 2 && attributesOf(span)['http.route'] === route)
  await expect.poll(() => requests().length, { timeout: 10_000 }).toBeGreaterThanOrEqual(4)

  expect(new Set(collector.resources().map((resource) => resource['service.name']))).toEqual(
    new Set(['the-test']),
  )
  const refused = requests().find((span) => attributesOf(span)['error.type'] === 'invalid_audio')
  expect(refused?.status).toBeUndefined()
  const stagesOf = (traceId?: string) =>
    collector
      .spans()
      .filter((span) => span.kind === 1 && span.traceId === traceId)
      .map(({ name }) => name)
  expect(stagesOf(refused?.traceId)).toEqual(['upload', 'wait for decoding'])
  const heard = requests().find((span) => stagesOf(span.traceId).includes('engine'))
  expect(new Set(stagesOf(heard?.traceId))).toEqual(
    new Set(['upload', 'wait for decoding', 'decode', 'wait for engine', 'engine']),
  )
  const told = collector.requests.map(({ text }) => text).join()
  for (const secret of [KEY, PROMPT, FILE, ...texts]) expect(told).not.toContain(secret)
})
