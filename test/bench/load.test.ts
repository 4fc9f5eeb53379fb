/** bench/load against a server of ten lines that counts, waits and refuses. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { askDuration, measure, type Recording, type Target } from '../../bench/load/measure.ts'

let server: Server

afterEach(() => {
  server.closeAllConnections()
  server.close()
})

interface Visits {
  /** Of those who would be content with an answer that was made for others. */
  sharing?: number
  count: number
  now: number
  most: number
}

/** Answers after 5 ms; every `refusedEvery`-th visitor is told 503. */
async function startServer(visits: Visits, refusedEvery = Number.POSITIVE_INFINITY): Promise<Target> {
  server = createServer((request, response) => {
    visits.most = Math.max(visits.most, ++visits.now)
    if (request.headers['cache-control'] !== 'no-store') visits.sharing = (visits.sharing ?? 0) + 1
    request.resume().once('end', () => {
      setTimeout(() => {
        visits.now -= 1
        response.statusCode = ++visits.count % refusedEvery === 0 ? 503 : 200
        response.end(JSON.stringify({ text: 'hej', duration: 2.5 }))
      }, 5)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/v1`, apiKey: 'x', fields: { model: 'm', response_format: 'json' } }
}

const clip: Recording = { name: 'a.wav', bytes: new Blob([new Uint8Array(32)]), seconds: 2.5 }
const never = new AbortController().signal

test('as many requests are in flight as were asked for, and all are counted', async () => {
  const visits: Visits = { count: 0, now: 0, most: 0 }
  const target = await startServer(visits)

  const figures = await measure(target, [clip], { concurrency: 4, seconds: 0.4 }, never)

  expect(visits.most).toBe(4)
  expect(visits.sharing).toBeUndefined()
  expect(figures.requests).toBe(visits.count)
  expect(figures.errors).toEqual({})
  expect(figures.audioPerSecond).toBeCloseTo(figures.requestsPerSecond * 2.5)
  expect(figures.p50Seconds).toBeGreaterThanOrEqual(0.005)
  expect(figures.p99Seconds).toBeGreaterThanOrEqual(figures.p50Seconds)
})

test('a refusal is an error by its status and no audio', async () => {
  const visits = { count: 0, now: 0, most: 0 }
  const target = await startServer(visits, 3)

  const figures = await measure(target, [clip], { concurrency: 1, seconds: 0.2 }, never)

  const refused = Math.floor(visits.count / 3)
  expect(figures.errors).toEqual({ 'http 503': refused })
  expect(figures.requestsPerSecond * figures.wallSeconds).toBeCloseTo(visits.count - refused)
})

test('a server that is not there is an error by its code', async () => {
  const target = await startServer({ count: 0, now: 0, most: 0 })
  await new Promise((resolve) => server.close(resolve))

  const figures = await measure(target, [clip], { concurrency: 1, seconds: 0.01 }, never)

  expect(Object.keys(figures.errors)).toEqual(['ECONNREFUSED'])
  expect(figures.requestsPerSecond).toBe(0)
})

test('the length of a recording is what the server says', async () => {
  const target = await startServer({ count: 0, now: 0, most: 0 })

  await expect(askDuration(target, clip, never)).resolves.toBe(2.5)
})
