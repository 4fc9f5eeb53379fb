/** Streams over real connections: what Node does with them, and what clients make of it. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { APIError, toFile } from 'openai'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import type { TranscriptEvent } from '../../src/transcript.ts'
import { until } from '../../src/until.ts'
import { transcriptOf } from '../formats/transcripts.ts'
import { SILENCE_MS, startConnections } from './connections.ts'

let server: Awaited<ReturnType<typeof startConnections>>
beforeEach(async () => {
  server = await startConnections()
})
afterEach(async () => {
  await server.expectNothingLeft()
  await server[Symbol.asyncDispose]()
})

const say = (...texts: string[]) => texts.map((text): TranscriptEvent => ({ kind: 'delta', text }))
const upload = () => toFile(Buffer.from('RIFF'), 'tale.wav')

describe('a streamed answer', () => {
  const stream = async () =>
    server.openai.audio.transcriptions.create({ file: await upload(), model: 'whisper-1', stream: true })

  test('reaches the client while it is being made', async () => {
    const goOn = Promise.withResolvers<void>()
    server.transcriber.onTheWay = async function* () {
      yield* say(' Toget')
      await goOn.promise
    }
    const { socket, received } = server.ask({ stream: 'true' })

    await expect.poll(received).toContain('data: {"type":"transcript.text.delta","delta":"Toget"}\n\n')
    expect(received()).not.toContain('done')
    goOn.resolve()
    await expect.poll(received).toMatch(/data: \[DONE\]\n\n\r\n0\r\n\r\n$/)
    socket.destroy()
  })

  test('is events in OpenAI’s SDK, pings or not', async () => {
    server.waitForWork()
    const answered = stream()
    await server.alarms.ring(SILENCE_MS)
    const events = Array.fromAsync(await answered)
    await server.alarms.ring(SILENCE_MS)
    server.work.resolve()

    expect(await events).toMatchObject([
      { type: 'transcript.text.delta', delta: 'Toget kører klokken otte.' },
      { type: 'transcript.text.done', text: 'Toget kører klokken otte.' },
    ])
  })

  test('that fails in the middle throws in OpenAI’s SDK what we said', async () => {
    server.transcriber.onTheWay = async function* () {
      yield* say(' Toget')
      throw new Failure('engine_crashed', 'The speech engine stopped.')
    }
    const heard: unknown[] = []
    const reading = (async () => {
      for await (const event of await stream()) heard.push(event)
    })()

    const error = await reading.catch((thrown: unknown) => thrown)

    expect(error).toBeInstanceOf(APIError)
    expect(error).toMatchObject({ code: 'engine_crashed', message: 'The speech engine stopped.' })
    expect(heard).toMatchObject([{ delta: 'Toget' }])
  })

  /** Says so many words and then waits for the signal, as a busy engine does. */
  function busy(...words: string[]) {
    const started = Promise.withResolvers<void>()
    server.transcriber.onTheWay = async function* (signal) {
      yield* say(...words)
      started.resolve()
      await until(new Promise<never>(() => {}), signal)
    }
    return started.promise
  }

  test('ends with a client that hangs up while it reads', async () => {
    void busy(' Toget')
    const { socket, received } = server.ask({ stream: 'true' })
    await expect.poll(received).toContain('Toget')

    socket.destroy()

    await expect.poll(() => server.transcriber.asked[0]?.signal.aborted).toBe(true)
    await expect.poll(server.requestLine).toMatchObject({ status: 200, code: 'client_closed_request' })
    expect(server.errors()).toEqual([])
  })

  test('ends with a client that hangs up before it has begun', async () => {
    const started = busy()
    const { socket } = server.ask({ stream: 'true' })
    await started

    socket.destroy()

    await expect.poll(() => server.transcriber.asked[0]?.signal.aborted).toBe(true)
    await expect.poll(server.requestLine).toMatchObject({ status: 499, code: 'client_closed_request' })
    expect(server.errors()).toEqual([])
  })

  test('waits for a reader who stalls, and makes no pings for him', async () => {
    const PIECES = 2000
    const piece = ' ord'.repeat(10_000)
    let told = 0
    server.transcriber.transcript = transcriptOf([])
    server.transcriber.onTheWay = async function* () {
      for (; told < PIECES; told++) yield* say(piece)
    }
    const responses = once(server.server, 'request') as Promise<[unknown, ServerResponse]>
    const { socket } = server.ask({ stream: 'true' })
    socket.pause()
    const [, response] = await responses

    let toldBefore = -1
    const hasStopped = () => {
      const isSame = told === toldBefore
      toldBefore = told
      return isSame && response.writableNeedDrain
    }
    await expect.poll(hasStopped).toBe(true)

    // Of 80 MB only what fits into the kernel's buffers has been taken.
    expect(told).toBeLessThan(PIECES / 2)
    expect(server.alarms.pending).toEqual([])
    socket.destroy()
    await expect.poll(server.requestLine).toMatchObject({ code: 'client_closed_request' })
  })
})
