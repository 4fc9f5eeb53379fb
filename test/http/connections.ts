/** The whole app on fakes behind a real connection, with alarms that the test rings. */
import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import OpenAI from 'openai'
import { expect, vi } from 'vitest'
import { createHttpServer } from '../../src/http/listener.ts'
import { until } from '../../src/until.ts'
import { Alarms } from './alarms.ts'
import { startParts } from './parts.ts'

export const EARLY_MS = 50_000
export const SILENCE_MS = 15_000

/** What anybody prints past the log. */
const printed = (['error', 'info', 'log', 'warn'] as const).map((name) => vi.spyOn(console, name))

export interface Conversation {
  readonly socket: Socket
  /** All that has come back until now. */
  readonly received: () => string
  /** Resolves when the connection is closed, with the code of the error that did it, if it was one. */
  readonly ended: Promise<string | undefined>
}

export async function startConnections() {
  for (const spy of printed) spy.mockClear()
  const alarms = new Alarms()
  const parts = await startParts({}, {}, { setAlarm: alarms.setAlarm })
  const server = createHttpServer(parts.app.fetch, parts.parts.log)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const work = Promise.withResolvers<void>()
  work.promise.catch(() => {}) // a test may reject it before anybody waits

  return {
    ...parts,
    alarms,
    server,
    url,
    openai: new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none-needed', maxRetries: 0 }),
    /** What the transcript waits for, when `waitForWork` has been called. */
    work,
    waitForWork() {
      parts.transcriber.before = async (_source, signal) => until(work.promise, signal)
    },
    /** A request as bytes on a connection of its own. */
    ask: (fields: Record<string, string>, options: { path?: string; version?: string } = {}) =>
      ask(connect(port, '127.0.0.1'), fields, options),
    requestLine: () => parts.logged.find(({ message }) => message === 'request'),
    errors: () => parts.logged.filter(({ level }) => level === 'error'),
    async expectNothingLeft() {
      await expect.poll(() => parts.leftovers()).toEqual([])
      expect(alarms.pending).toEqual([])
      for (const spy of printed) expect(spy).not.toHaveBeenCalled()
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await parts[Symbol.asyncDispose]()
    },
  }
}

function ask(
  socket: Socket,
  fields: Record<string, string>,
  { path = '/v1/audio/transcriptions', version = '1.1' },
): Conversation {
  let received = ''
  let errorCode: string | undefined
  socket.setEncoding('utf8').on('data', (text: string) => (received += text))
  socket.on('error', (error: NodeJS.ErrnoException) => (errorCode = error.code))
  const ended = new Promise<string | undefined>((resolve) => {
    socket.once('close', () => resolve(errorCode))
  })
  const body = formOf(fields)
  const head = [
    `POST ${path} HTTP/${version}`,
    'Host: x',
    'Content-Type: multipart/form-data; boundary=x',
    `Content-Length: ${body.length}`,
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  return { socket, received: () => received, ended }
}

function formOf(fields: Record<string, string>): string {
  const parts = Object.entries(fields).map(
    ([name, value]) => `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  const file = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n'
  return `${parts.join('')}${file}--x--\r\n`
}
