// GET /metrics of the whole app on fakes, scraped over HTTP: who may, and what moves when requests end in their several ways.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { Failure } from '../../src/failure.ts'
import { createJoiningTranscriber } from '../../src/joining/joining-transcriber.ts'
import { measurePulses } from '../../src/measuring.ts'
import { until } from '../../src/until.ts'
import { readExposition, valueOf } from '../exposition.ts'
import { EARLY_MS, startConnections } from './connections.ts'
import { FACTS, form, startParts } from './parts.ts'

const ROUTE = '/v1/audio/transcriptions'

describe('after a request', () => {
  let server: Awaited<ReturnType<typeof startConnections>>
  beforeEach(async () => {
    server = await startConnections()
  })
  afterEach(async () => {
    await server.expectNothingLeft()
    await server[Symbol.asyncDispose]()
  })

  const scrape = async () => readExposition(await (await fetch(`${server.url}/metrics`)).text())
  const post = async (fields: Record<string, string> = {}, init: RequestInit = {}) =>
    fetch(`${server.url}${ROUTE}`, { method: 'POST', body: form(fields), ...init })
  /** What has risen since nothing had happened, of the counters that say how requests ended. */
  const moved = async () => {
    const families = await scrape()
    const ofRoute = (status: string) =>
      valueOf(families, 'hviske_http_requests_total', { route: ROUTE, method: 'POST', status })
    const failures = families.get('hviske_failures_total')?.samples ?? []
    return {
      ok: ofRoute('200') ?? 0,
      failures: Object.fromEntries(
        failures.filter(({ value }) => value > 0).map(({ labels, value }) => [labels.code, value]),
      ),
      streams: valueOf(families, 'hviske_begun_answers_total', { kind: 'stream' }),
      brokenStreams: valueOf(families, 'hviske_broken_answers_total', { kind: 'stream' }),
      early: valueOf(families, 'hviske_begun_answers_total', { kind: 'early' }),
      brokenEarly: valueOf(families, 'hviske_broken_answers_total', { kind: 'early' }),
      inFlight: valueOf(families, 'hviske_http_requests_in_flight'),
    }
  }
  /** The scrape itself is in flight. */
  const NOTHING = { ok: 0, failures: {}, streams: 0, brokenStreams: 0, early: 0, brokenEarly: 0, inFlight: 1 }

  test('that nobody has made, everything that can fail stands at 0', async () => {
    expect(await moved()).toEqual(NOTHING)
    expect(valueOf(await scrape(), 'hviske_failures_total', { code: 'engine_crashed' })).toBe(0)
  })

  test('that went well', async () => {
    await (await post()).text()

    expect(await moved()).toEqual({ ...NOTHING, ok: 1 })
    const families = await scrape()
    expect(valueOf(families, 'hviske_upload_bytes_sum')).toBe('audio'.length)
    expect(valueOf(families, 'hviske_http_request_seconds_count', { route: ROUTE })).toBe(1)
  })

  test('that failed', async () => {
    server.transcriber.before = async () => {
      throw new Failure('engine_crashed', 'Gone.')
    }

    await (await post()).text()
    await (await post({ temperature: 'warm' })).text()

    expect(await moved()).toEqual({ ...NOTHING, failures: { engine_crashed: 1, invalid_value: 1 } })
  })

  test('that met a bug of ours', async () => {
    server.transcriber.before = async () => {
      throw new TypeError('a bug')
    }

    await (await post()).text()

    expect(await moved()).toEqual({ ...NOTHING, failures: { internal_error: 1 } })
  })

  test('whose client left', async () => {
    const begun = Promise.withResolvers<void>()
    server.transcriber.before = async (_source, signal) => {
      begun.resolve()
      await until(new Promise(() => {}), signal)
    }
    const leaving = new AbortController()
    const asked = post({}, { signal: leaving.signal })
    await begun.promise
    expect(await moved()).toEqual({ ...NOTHING, inFlight: 2 })

    leaving.abort()
    await expect(asked).rejects.toThrow('aborted')

    await expect.poll(moved).toEqual({ ...NOTHING, failures: { client_closed_request: 1 } })
  })

  test('that was streamed, whole and broken off', async () => {
    await (await post({ stream: 'true' })).text()
    await expect.poll(moved).toEqual({ ...NOTHING, ok: 1, streams: 1 })
    server.transcriber.onTheWay = async function* () {
      yield { kind: 'delta', text: ' Toget' }
      throw new Failure('engine_crashed', 'Gone.')
    }

    await (await post({ stream: 'true' })).text()

    const failures = { engine_crashed: 1 }
    await expect.poll(moved).toEqual({ ...NOTHING, ok: 2, streams: 2, brokenStreams: 1, failures })
  })

  test('whose headers went out early, and which then failed', async () => {
    server.waitForWork()
    const { ended } = server.ask({})
    await server.alarms.ring(EARLY_MS)

    server.work.reject(new Failure('engine_crashed', 'Gone.'))
    await ended

    const failures = { engine_crashed: 1 }
    await expect.poll(moved).toEqual({ ...NOTHING, ok: 1, early: 1, brokenEarly: 1, failures })
  })

  test('whatever clients ask for, there are only our own routes, methods and codes', async () => {
    for (const path of ['/a', '/b?x=1', '/v1/models/one', '/v1/models/two/three', '/docs/swagger-ui.css'])
      await fetch(`${server.url}${path}`)
    await fetch(`${server.url}/livez`, { method: 'HEAD' })
    for (const method of ['PURGE', 'PROPFIND', 'OPTIONS']) await fetch(`${server.url}/a`, { method })

    const samples = (await scrape()).get('hviske_http_requests_total')?.samples ?? []
    const series = samples.map(({ labels, value }) => [labels.route, labels.method, labels.status, value])

    expect(new Set(series.map(String))).toEqual(
      new Set([
        '/docs/swagger-ui.css,GET,200,1',
        '/livez,HEAD,200,1',
        '/v1/models/{model},GET,404,2',
        'none,GET,404,2',
        'none,OPTIONS,404,1',
        'none,other,404,2',
      ]),
    )
  })
})

test('requests that join are counted, by what they joined', async () => {
  await using server = await startParts()
  const { parts, transcriber } = server
  await using joining = createJoiningTranscriber({ transcriber, directory: parts.spoolDir, log: parts.log })
  const app = createApp({ ...parts, transcriber: joining })
  for (let time = 0; time < 3; time++) await app.request(ROUTE, { method: 'POST', body: form() })

  const families = readExposition(await (await app.request('/metrics')).text())

  expect(valueOf(families, 'hviske_joined_requests_total', { state: 'finished' })).toBe(2)
  expect(valueOf(families, 'hviske_joined_requests_total', { state: 'running' })).toBe(0)
})

describe('what is looked up when somebody asks', () => {
  const look = async (server: Awaited<ReturnType<typeof startParts>>) =>
    readExposition(await (await server.app.request('/metrics')).text())

  test('the model and how it runs, the queue and its bounds', async () => {
    await using server = await startParts({ MODEL: '/srv/models/tiny-da', MAX_QUEUE_SIZE: '7' })
    server.queue.waitSeconds = 1.5

    const families = await look(server)

    expect(families.get('hviske_model_info')?.samples[0]?.labels).toEqual({
      model: 'tiny-da',
      revision: FACTS.revision,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      device: 'cpu',
      device_name: 'a processor',
      compute_type: 'float32',
      vad: 'silero',
    })
    expect(valueOf(families, 'hviske_engine_state', { state: 'ready' })).toBe(1)
    expect(valueOf(families, 'hviske_engine_state', { state: 'loading' })).toBe(0)
    expect(valueOf(families, 'hviske_slots')).toBe(4)
    expect(valueOf(families, 'hviske_queue_recordings', { state: 'waiting' })).toBe(2)
    expect(valueOf(families, 'hviske_queue_limit', { state: 'waiting' })).toBe(7)
    expect(valueOf(families, 'hviske_queue_expected_wait_seconds')).toBe(1.5)
  })

  test('where nobody may wait, the bound of those who wait is 0', async () => {
    await using server = await startParts({ FAIL_FAST_WHEN_BUSY: 'true', MAX_QUEUE_SIZE: '7' })

    expect(valueOf(await look(server), 'hviske_queue_limit', { state: 'waiting' })).toBe(0)
  })

  test('what is not known is not there: no model while it loads, no wait before it was measured', async () => {
    await using server = await startParts()
    const gpu = { reservedBytes: 5, totalBytes: 9 }
    measurePulses(server.parts.metrics)({ steps: 1, slotSteps: 1, windowsWaiting: 2, gpu })
    expect(valueOf(await look(server), 'hviske_windows_waiting')).toBe(2)
    server.engine.state = { phase: 'loading', message: 'downloading', fraction: 0.5 }

    const families = await look(server)

    expect(families.get('hviske_model_info')?.samples).toEqual([])
    expect(families.get('hviske_slots')?.samples).toEqual([])
    expect(families.get('hviske_windows_waiting')?.samples).toEqual([])
    expect(families.get('hviske_gpu_memory_bytes')?.samples).toEqual([])
    expect(families.get('hviske_queue_expected_wait_seconds')?.samples).toEqual([])
    expect(valueOf(families, 'hviske_engine_loading_ratio')).toBe(0.5)
    expect(valueOf(families, 'hviske_engine_state', { state: 'loading' })).toBe(1)
  })

  test('this process and the disk', async () => {
    await using server = await startParts()

    const families = await look(server)

    expect(valueOf(families, 'process_resident_memory_bytes')).toBeGreaterThan(10_000_000)
    expect(valueOf(families, 'process_cpu_seconds_total')).toBeGreaterThan(0)
    expect(Math.abs((valueOf(families, 'process_start_time_seconds') ?? 0) - Date.now() / 1000)).toBeLessThan(
      3600,
    )
    const free = valueOf(families, 'hviske_spool_disk_bytes', { state: 'free' }) ?? 0
    expect(valueOf(families, 'hviske_spool_disk_bytes', { state: 'size' })).toBeGreaterThan(free)
  })
})

describe('METRICS', () => {
  const KEY = 'sk-our-own'
  const ask = async (settings: Record<string, string>, headers: Record<string, string> = {}) => {
    await using server = await startParts(settings)
    const response = await server.app.request('/metrics', { headers })
    const document = (await (await server.app.request('/openapi.json')).json()) as {
      paths: Record<string, { get: { security?: unknown } }>
    }
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      described: document.paths['/metrics'],
    }
  }

  test('asks for a key like everything else, which Prometheus can send', async () => {
    expect((await ask({ API_KEYS: KEY })).status).toBe(401)
    const { status, type, described } = await ask({ API_KEYS: KEY }, { authorization: `Bearer ${KEY}` })
    expect({ status, type }).toEqual({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' })
    expect(described?.get.security).toEqual([{ bearer: [] }, { apiKey: [] }])
  })

  test('open lets everybody read', async () => {
    const { status, described } = await ask({ API_KEYS: KEY, METRICS: 'open' })
    expect(status).toBe(200)
    expect(described?.get).not.toHaveProperty('security')
  })

  test('off is neither served nor described', async () => {
    const { status, described } = await ask({ METRICS: 'off' })
    expect({ status, described }).toEqual({ status: 404, described: undefined })
  })

  test('nothing else is a value', async () => {
    await expect(startParts({ METRICS: 'yes' })).rejects.toThrow('METRICS=yes')
  })
})
