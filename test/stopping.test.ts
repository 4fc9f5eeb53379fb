// What clients of a real server see while it ends.
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { SILENCE, spooled, startServer } from './processes.ts'

/** A recording on its way to a server; its answer as far as it has come. */
async function ask(url: unknown, fields: Record<string, string> = {}): Promise<Response> {
  const body = new FormData()
  for (const [name, value] of Object.entries(fields)) body.append(name, value)
  body.append('file', new Blob([await readFile(SILENCE)]), 'a.wav')
  return fetch(`${String(url)}/v1/audio/transcriptions`, { method: 'POST', body })
}

const untilBusyWith = (url: unknown, recordings: number) =>
  expect
    .poll(async () => {
      const health = (await (await fetch(`${String(url)}/health`)).json()) as { queue: { active: number } }
      return health.queue.active
    })
    .toBe(recordings)

test('for a while it says to whoever connects that it ends, and takes nothing more', async () => {
  const { server, logged } = await startServer('dies-when-told', { SHUTDOWN_DELAY_SECONDS: '600' })
  const { url } = await logged('listening')
  await logged('ready: fixture')
  expect((await fetch(`${String(url)}/readyz`)).status).toBe(200)

  server.kill('SIGTERM')
  await logged('shutting down')
  const ready = await fetch(`${String(url)}/readyz`)
  const refused = await ask(url)
  const health = await fetch(`${String(url)}/livez`)

  expect(ready.status).toBe(503)
  expect(await ready.json()).toEqual({ status: 'not_ready', message: 'The server is shutting down.' })
  expect(ready.headers.get('connection')).toBe('close')
  expect(refused.status).toBe(503)
  expect(refused.headers.get('retry-after')).toBe('10')
  expect(await refused.json()).toMatchObject({ error: { code: 'shutting_down' } })
  expect(health.status).toBe(200)
  server.kill('SIGINT')
  expect(await server).toMatchObject({ exitCode: 1 })
})

test('then the port is closed, and it ends', async () => {
  const { server, logged, dataDir } = await startServer('dies-when-told', { SHUTDOWN_DELAY_SECONDS: '1' })
  const { url } = await logged('listening')
  await logged('ready: fixture')

  server.kill('SIGTERM')
  await logged('the listener is closed')

  await expect(fetch(`${String(url)}/readyz`)).rejects.toThrow('fetch failed')
  expect(await server).toMatchObject({ exitCode: 0 })
  expect(await spooled(dataDir)).toEqual([])
})

test('Ctrl-C waits for no balancer', async () => {
  const { server, logged } = await startServer('dies-when-told', { SHUTDOWN_DELAY_SECONDS: '600' })
  await logged('ready: fixture')

  server.kill('SIGINT')

  expect(await server).toMatchObject({ exitCode: 0 })
})

test('whoever is not finished in time is told so: an answer not begun, a stream, an upload that still comes', async () => {
  const settings = { DRAIN_SECONDS: '0', JOIN_RETRIES: 'off' }
  const { server, logged, dataDir } = await startServer('says-a-word-and-hangs', settings)
  const { url } = await logged('listening')
  await logged('ready: fixture')
  const stream = await ask(url, { stream: 'true' }) // its first word has been said
  const whole = ask(url)
  const socket = connect(Number(new URL(String(url)).port), '127.0.0.1').setEncoding('utf8')
  const heard: string[] = []
  socket.on('data', (text) => heard.push(String(text)))
  socket.write(
    'POST /transcribe HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 9000\r\n\r\n',
  )
  await expect.poll(() => heard.join('')).toContain('100 Continue')
  await untilBusyWith(url, 2)

  server.kill('SIGTERM')

  const answer = await whole
  expect(answer.status).toBe(503)
  expect(answer.headers.get('retry-after')).toBe('10')
  expect(answer.headers.get('connection')).toBe('close')
  expect(await answer.json()).toMatchObject({ error: { code: 'shutting_down' } })
  const events = (await stream.text()).split('\n\n')
  expect(events[0]).toContain('"delta":"Rød"')
  expect(events.at(-2)).toContain('"code":"shutting_down"')
  await expect.poll(() => heard.join('')).toMatch(/HTTP\/1.1 503 [^]*"code":"shutting_down"/)
  expect(await server).toMatchObject({ exitCode: 0 })
  expect(await spooled(dataDir)).toEqual([])
})

test('a recording that waits for a model that is still being loaded is told so too', async () => {
  const { server, logged, dataDir } = await startServer('never-gets-ready', { DRAIN_SECONDS: '0' })
  const { url } = await logged('listening')
  const waiting = ask(url)
  await untilBusyWith(url, 1)

  server.kill('SIGTERM')

  expect((await waiting).status).toBe(503)
  expect(await server).toMatchObject({ exitCode: 0 })
  expect(await spooled(dataDir)).toEqual([])
})
