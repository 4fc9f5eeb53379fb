import { type AddressInfo, connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { text as textOf } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { EndingServer } from '../src/http/ending-server.ts'
import { createLog } from '../src/log.ts'
import { createEndingTranscriber, Ending, shutDown } from '../src/shutdown.ts'
import type { AudioSource, Transcriber } from '../src/transcriber.ts'
import { DETECTED, NEVER, OPTIONS, road, untilAborted } from './road.ts'

const SILENT = createLog('silent')
/** Longer than any test. */
const LONG_MS = 3_600_000

/** A server that holds every answer back until the test lets it go. */
async function start() {
  const held: (() => void)[] = []
  const asked = Promise.withResolvers<void>()
  const server = new EndingServer({}, (_request, response) => {
    held.push(() => response.end('there'))
    asked.resolve()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => server.closeAllConnections())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { server, url, held, asked: asked.promise }
}

test('what runs may finish, and its answer closes the connection', async () => {
  const { server, url, held, asked } = await start()
  const ending = new Ending()
  const answer = fetch(url)
  await asked

  const down = shutDown(server, ending, { delayMs: 0, drainMs: LONG_MS }, SILENT)
  await expect.poll(() => server.listening).toBe(false)
  for (const letGo of held) letGo()

  expect(await (await answer).text()).toBe('there')
  expect((await answer).headers.get('connection')).toBe('close')
  await down
  expect([ending.begun.aborted, ending.park.aborted]).toEqual([true, false])
})

test('who had connected when the port was closed may still ask, and is not refused', async () => {
  const { server, url, held, asked } = await start()
  const ending = new Ending()
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  await once(server, 'connection')

  const down = shutDown(server, ending, { delayMs: 0, drainMs: LONG_MS, lastCallMs: LONG_MS }, SILENT)
  await expect.poll(() => server.listening).toBe(false)
  socket.write('GET / HTTP/1.1\r\nhost: us\r\n\r\n')
  await asked
  expect(ending.begun.aborted).toBe(false)
  for (const letGo of held) letGo()

  expect(await textOf(socket)).toMatch(/connection: close[^]*there/i)
  await down
  expect(ending.begun.aborted).toBe(true)
})

test('what the kernel has accepted when the end comes is taken too, however many', async () => {
  const { server, url, held } = await start()
  const sockets = Array.from({ length: 50 }, () => connect(Number(new URL(url).port), '127.0.0.1'))
  for (const socket of sockets) socket.write('GET / HTTP/1.1\r\nhost: us\r\n\r\n')
  await once(sockets[49] as Socket, 'connect')

  const down = shutDown(server, new Ending(), { delayMs: 0, drainMs: LONG_MS }, SILENT)
  await expect.poll(() => held.length).toBe(50)
  for (const letGo of held) letGo()

  expect((await Promise.all(sockets.map(textOf))).filter((text) => text.endsWith('there'))).toHaveLength(50)
  await down
})

test('a connection on which nobody asks anything is closed after the last call', async () => {
  const { server, url } = await start()
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  await once(server, 'connection')

  await shutDown(server, new Ending(), { delayMs: 0, drainMs: LONG_MS, lastCallMs: 0 }, SILENT)

  expect(await textOf(socket)).toBe('')
})

test('what does not finish is parked, then cut off, and told so each time', async () => {
  const { server, url, held, asked } = await start()
  const ending = new Ending()
  const told: string[] = []
  for (const step of ['begun', 'park', 'cut'] as const) {
    ending[step].addEventListener('abort', () => told.push(`${step} ${ending[step].reason.code}`))
  }
  ending.cut.addEventListener('abort', () => held.forEach((letGo) => letGo()))
  const answer = fetch(url)
  await asked

  await shutDown(server, ending, { delayMs: 0, drainMs: 0, parkMs: 0, farewellMs: LONG_MS }, SILENT)

  expect(told).toEqual(['begun shutting_down', 'park shutting_down', 'cut shutting_down'])
  expect(await (await answer).text()).toBe('there')
})

test('a client that listens to nothing is cut off in the end', async () => {
  const { server, url, asked } = await start()
  const answer = fetch(url)
  const failed = answer.catch((error: unknown) => error)
  await asked

  await shutDown(server, new Ending(), { delayMs: 0, drainMs: 0, parkMs: 0, farewellMs: 0 }, SILENT)

  expect(await failed).toMatchObject({ message: 'fetch failed' })
})

test('while it waits for balancers it still listens', async () => {
  const { server, url, held, asked } = await start()
  const ending = new Ending()

  void shutDown(server, ending, { delayMs: LONG_MS, drainMs: 0 }, SILENT)
  const answer = fetch(url)
  await asked
  for (const letGo of held) letGo()

  expect(ending.begun.aborted).toBe(true)
  expect((await answer).headers.get('connection')).toBe('close')
})

test('on the road of a server that ends, work is parked or cut off', async () => {
  const ending = new Ending()
  const sources: AudioSource[] = []
  const inner: Transcriber = {
    async *transcribe(source, _options, signal) {
      sources.push(source)
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      yield { kind: 'delta', text: 'never' }
    },
    detectLanguage: async () => DETECTED,
  }
  const ended = createEndingTranscriber(inner, ending)
  const reading = Array.fromAsync(ended.transcribe({ path: '/a' }, OPTIONS, NEVER))
  const failed = reading.catch((error: unknown) => error)

  ending.parkWork()
  expect(sources[0]?.park?.aborted).toBe(true)
  ending.cutOff()

  expect(await failed).toMatchObject({ code: 'shutting_down' })
  expect(await ended.detectLanguage({ path: '/a' }, NEVER)).toBe(DETECTED)
})

test('whoever waits for a turn is let go as soon as work is parked, whoever has one at its window', async () => {
  const ending = new Ending()
  const { transcriber, transcribing, left } = road({ run: untilAborted })
  const working = Array.fromAsync(
    transcriber.transcribe({ path: '/a', park: ending.park }, OPTIONS, ending.cut),
  )
  const cut = working.catch((error: unknown) => error)
  await expect.poll(() => transcribing.state().active).toBe(1)
  const waiting = Array.fromAsync(transcriber.transcribe({ path: '/b', park: ending.park }, OPTIONS, NEVER))
  const parked = waiting.catch((error: unknown) => error)
  await expect.poll(() => transcribing.state().waiting).toBe(1)

  ending.parkWork()
  expect(await parked).toMatchObject({ code: 'shutting_down' })
  expect(transcribing.state()).toEqual({ active: 1, waiting: 0 }) // the engine looks for itself
  ending.cutOff()
  expect(await cut).toMatchObject({ code: 'shutting_down' })

  expect(left()).toMatchObject({ pcm: 0, transcribing: { active: 0, waiting: 0 } })
})
