// Clients that connect and then behave badly, over real sockets: nobody else notices, and nothing of theirs stays.
// An error that nobody caught fails the run: vitest sees to that.
import { once } from 'node:events'
import { Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { CONNECTION_TIMES, createHttpServer } from '../../src/http/listener.ts'
import type { TranscriptEvent } from '../../src/transcript.ts'
import { until } from '../../src/until.ts'
import { form, startParts } from './parts.ts'

async function listen(options: Parameters<typeof createHttpServer>[2] = {}) {
  const parts = await startParts()
  const server = createHttpServer(parts.app.fetch, parts.parts.log, options)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await parts[Symbol.asyncDispose]()
  })
  const { port } = server.address() as AddressInfo
  const open = () => connect(port, '127.0.0.1').on('error', () => {}) // being cut off is what they deserve
  /** What everybody else gets meanwhile. */
  const good = async () => {
    const url = `http://127.0.0.1:${port}/v1/audio/transcriptions`
    const response = await fetch(url, { method: 'POST', body: form(), signal: AbortSignal.timeout(10_000) })
    return response.status
  }
  return { ...parts, server, open, good }
}

const BODY =
  '--x\r\nContent-Disposition: form-data; name="stream"\r\n\r\ntrue\r\n' +
  '--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n--x--\r\n'
const HEAD =
  'POST /v1/audio/transcriptions HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n'
const REQUEST = `${HEAD}Content-Length: ${BODY.length}\r\n\r\n${BODY}`

/** 40 MB in pieces: more than the kernel keeps for anybody. */
async function* muchToSay(): AsyncGenerator<TranscriptEvent> {
  for (let said = 0; said < 1000; said++) yield { kind: 'delta', text: ' ord'.repeat(10_000) }
}

describe('a client that does not read its answer', () => {
  test('is cut off, and its turn and its files are free', async () => {
    const { open, good, transcriber, leftovers, logged } = await listen({ stallMs: 100 })
    transcriber.onTheWay = muchToSay
    const socket = open()
    socket.pause()
    socket.write(REQUEST)

    await expect.poll(() => transcriber.asked[0]?.signal.aborted, { timeout: 20_000 }).toBe(true)
    await expect.poll(leftovers).toEqual([])
    expect(logged).toContainEqual(
      expect.objectContaining({ message: 'request', code: 'client_closed_request' }),
    )
    transcriber.onTheWay = async function* () {}
    expect(await good()).toBe(200)
    socket.destroy()
  })

  test('costs the same memory however long its answer is', async () => {
    const { open, transcriber, leftovers } = await listen({ stallMs: 60_000 })
    let told = 0
    transcriber.onTheWay = async function* () {
      for await (const event of muchToSay()) {
        told++
        yield event
      }
    }
    const sockets = Array.from({ length: 5 }, open)
    for (const socket of sockets) socket.pause().write(REQUEST)
    let before = -1
    const hasStopped = () => {
      const isSame = told === before && told >= sockets.length
      before = told
      return isSame
    }
    await expect.poll(hasStopped, { timeout: 20_000, interval: 100 }).toBe(true)

    // Of 200 MB only what the kernel's buffers took has been made.
    expect(told).toBeLessThan(1000)
    for (const socket of sockets) socket.destroy()
    await expect.poll(leftovers).toEqual([])
  })

  test('but waits for one that is slow to come is left alone', async () => {
    const { open, transcriber } = await listen({ stallMs: 30 })
    const work = Promise.withResolvers<void>()
    transcriber.before = (_source, signal) => until(work.promise, signal)
    const socket = open().setEncoding('utf8')
    const quiet = Promise.withResolvers<void>()
    socket.write(REQUEST)
    // Several of those times pass in silence, as the clock of another connection shows.
    const other = open().setTimeout(150, () => quiet.resolve())
    await quiet.promise
    other.destroy()
    work.resolve()
    let heard = ''
    for await (const text of socket) {
      heard += String(text)
      if (heard.includes('[DONE]')) break
    }

    expect(heard).toContain('klokken otte')
  })
})

describe('a connection that is reset', () => {
  const stages: [when: string, act: (socket: Socket) => void][] = [
    ['before a byte', () => {}],
    ['in its request line', (socket) => void socket.write('POST /v1/au')],
    ['in its headers', (socket) => void socket.write(HEAD)],
    [
      'in its body',
      (socket) => void socket.write(`${HEAD}Content-Length: 99999\r\n\r\n${BODY.slice(0, 120)}`),
    ],
    ['in a chunk', (socket) => void socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\nffff\r\n${BODY}`)],
    ['while it is worked for', (socket) => void socket.write(REQUEST)],
    ['with three requests in it', (socket) => void socket.write(REQUEST.repeat(3))],
    ['after nonsense', (socket) => void socket.write('\0\0\0\0')],
  ]

  test.each(stages)('%s ends alone', async (_when, act) => {
    const { server, open, good, leftovers, transcriber, logged } = await listen()
    transcriber.onTheWay = muchToSay
    for (let times = 0; times < 5; times++) {
      const arrived = once(server, 'connection')
      const socket = open()
      const [[serverSide]] = (await Promise.all([arrived, once(socket, 'connect')])) as [[Socket], unknown]
      act(socket)
      const least = Math.min(1, socket.bytesWritten)
      await expect.poll(() => serverSide.bytesRead, { interval: 2 }).toBeGreaterThanOrEqual(least)
      socket.resetAndDestroy()
      if (!serverSide.closed) await new Promise((resolve) => serverSide.once('close', resolve))
    }

    transcriber.onTheWay = async function* () {}
    expect(await good()).toBe(200)
    await expect.poll(leftovers).toEqual([])
    expect(logged.filter(({ level }) => level === 'error')).toEqual([])
  })
})

describe('connections without a request', () => {
  test('2000 of them keep nobody from an answer, and go when their time is over', {
    timeout: 40_000,
  }, async () => {
    const { server, open, good } = await listen({ headersTimeout: 1500, connectionsCheckingInterval: 100 })
    const closed: Promise<unknown>[] = []
    // In groups, each of which the server has accepted: what overflows the kernel's queue would never hear of an end.
    for (let group = 0; group < 20; group++) {
      const sockets = Array.from({ length: 100 }, open)
      for (const socket of sockets)
        closed.push(new Promise((resolve) => socket.resume().once('close', resolve)))
      await Promise.all(sockets.map((socket) => once(socket, 'connect')))
      // Half of them begin a request, the others say nothing at all.
      for (const socket of sockets.slice(50)) socket.write('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ')
    }

    expect(await good()).toBe(200)
    await Promise.all(closed)
    const count = () =>
      new Promise<number>((resolve) => server.getConnections((_error, number) => resolve(number)))
    await expect.poll(count).toBeLessThan(3) // the good one’s own may stay
  })
})

test('connections live as long as uploads and proxies need, and headers do not take for ever', async () => {
  const { server } = await listen(CONNECTION_TIMES)

  expect(server).toMatchObject({ requestTimeout: 0, headersTimeout: 60_000, keepAliveTimeout: 150_000 })
  // The trap that the second number answers: Node’s own default goes with the first.
  expect(new Server({ requestTimeout: 0 }).headersTimeout).toBe(0)
})
