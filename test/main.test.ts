import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { findFfmpeg } from '../src/audio/ffmpeg.ts'

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const SILENCE = fileURLToPath(new URL('audio/silence.wav', import.meta.url))
const WORKERS = fileURLToPath(new URL('workers/', import.meta.url))
/** Found beside the real Python, where it may be the only one: the stand-in has none beside it. */
const FFMPEG = await findFfmpeg({ ffmpegPath: undefined, pythonPath: '.venv/bin/python' })

/** A "Python" that is one of our small children, and a directory for what the server writes. */
async function home(worker: string): Promise<{ dataDir: string; pythonPath: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-main-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const pythonPath = join(directory, 'python')
  await writeFile(pythonPath, `#!/bin/sh\nexec ${process.execPath} ${join(WORKERS, worker)}.ts\n`)
  await chmod(pythonPath, 0o755)
  return { dataDir: join(directory, 'data'), pythonPath }
}

/** The server as a process: its log as it comes, and how it ends. */
async function startServer(
  worker: string,
  settings: Record<string, string> = {},
  nodeArguments: readonly string[] = [],
) {
  const { dataDir, pythonPath } = await home(worker)
  const env = {
    HOST: '127.0.0.1',
    PORT: '0',
    DATA_DIR: dataDir,
    PYTHON_PATH: pythonPath,
    FFMPEG_PATH: FFMPEG.path,
    ...settings,
  }
  const server = execa(process.execPath, [...nodeArguments, MAIN], { env, reject: false, stdout: 'ignore' })
  onTestFinished(() => void server.kill('SIGKILL'))
  const lines: string[] = []
  let wake = Promise.withResolvers<void>()
  createInterface({ input: server.stderr }).on('line', (line) => {
    lines.push(line)
    wake.resolve()
    wake = Promise.withResolvers()
  })
  /** The first log entry with this message, once it is there. */
  const logged = async (message: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const entry = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
      const found = entry.find((candidate) => String(candidate.message).startsWith(message))
      if (found !== undefined) return found
      await Promise.race([wake.promise, server.then(() => Promise.reject(new Error(lines.join('\n'))))])
    }
  }
  return { server, logged, dataDir, lines }
}

const spooled = (dataDir: string) => readdir(join(dataDir, 'spool'))

test('it listens at once, becomes ready, and ends in order with nothing left', async () => {
  const { server, logged, dataDir } = await startServer('dies-when-told')

  const { url } = await logged('listening')
  await logged('ready: fixture')
  expect((await fetch(`${String(url)}/health`)).status).toBe(200)
  expect(await spooled(dataDir)).toEqual([String(server.pid)])
  expect((await stat(join(dataDir, 'spool', String(server.pid)))).mode & 0o777).toBe(0o700)
  server.kill('SIGTERM')

  expect(await server).toMatchObject({ exitCode: 0 })
  expect(await spooled(dataDir)).toEqual([])
})

test('a model that cannot be loaded ends it, with one clear line', async () => {
  const { server, lines, dataDir } = await startServer('fatal-at-start')

  expect(await server).toMatchObject({ exitCode: 1 })
  expect(lines.at(-1)).toBe('hviske-api cannot go on: nowhere/nothing does not exist.')
  expect(await spooled(dataDir)).toEqual([])
})

test('a file of keys that cannot be read ends it: without them the server might be open to all', async () => {
  const { server, lines, dataDir } = await startServer('dies-when-told', { KEYS_FILE: MAIN })

  expect(await server).toMatchObject({ exitCode: 1 })
  expect(lines).toEqual([
    `hviske-api cannot go on: the keys in ${MAIN} cannot be read: it is not what \`npm run keys\` writes`,
  ])
  await expect(readdir(dataDir)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('every setting that cannot be used is named before anything starts', async () => {
  const { server, lines } = await startServer('dies-when-told', { PORT: 'http', DEVICE: 'gpu' })

  expect(await server).toMatchObject({ exitCode: 1 })
  expect(lines).toEqual([
    'hviske-api cannot go on: settings that cannot be used:',
    expect.stringContaining('PORT=http: '),
    expect.stringContaining('DEVICE=gpu: '),
  ])
})

test('a port that is taken is named, and no child stays behind', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  onTestFinished(() => void other.close())
  const port = String((other.address() as { port: number }).port)

  const { server, lines } = await startServer('dies-when-told', { PORT: port })

  expect(await server).toMatchObject({ exitCode: 1 })
  expect(lines.at(-1)).toContain(`127.0.0.1:${port}`)
})

test('the files of a server that was killed are swept by the next one, those of a living one are not', async () => {
  const { dataDir, pythonPath } = await home('never-gets-ready')
  const [dead, alive] = ['999999999', String(process.pid)]
  for (const name of [dead, alive]) await mkdir(join(dataDir, 'spool', name), { recursive: true })

  const { server, logged } = await startServer('never-gets-ready', {
    DATA_DIR: dataDir,
    PYTHON_PATH: pythonPath,
  })
  await logged('listening')

  expect((await spooled(dataDir)).toSorted()).toEqual([alive, String(server.pid)].toSorted())
  server.kill('SIGTERM')
  expect(await server).toMatchObject({ exitCode: 0 })
})

test('a second, different signal ends it at once', async () => {
  const { server, logged } = await startServer('ignores-sigterm')
  await logged('ready: fixture')

  server.kill('SIGTERM')
  await logged('shutting down')
  server.kill('SIGINT')

  expect(await server).toMatchObject({ exitCode: 1 })
})

test.each(['SIGUSR2', 'SIGWINCH'] as const)(
  'a bug that nobody caught (%s) is logged and ends it in order, not in half a life',
  async (signal) => {
    const bug = join(WORKERS, 'throws-when-told.ts')
    const { server, logged, lines, dataDir } = await startServer('dies-when-told', {}, ['--import', bug])
    await logged('ready: fixture')

    server.kill(signal)

    expect(await server).toMatchObject({ exitCode: 1 })
    expect(lines.join('\n')).toMatch(/"level":"error","message":"a bug: an error that nobody caught/)
    expect(lines.at(-1)).toBe('hviske-api cannot go on: a bug that nobody caught')
    expect(await spooled(dataDir)).toEqual([])
  },
)

test('a log that nobody reads any more ends nothing', async () => {
  const { server, logged } = await startServer('dies-when-told', { LOG_LEVEL: 'debug' })
  const { url } = await logged('listening')
  await logged('ready: fixture')

  server.stderr.destroy()

  for (let asked = 0; asked < 3; asked++) expect((await fetch(`${String(url)}/health`)).status).toBe(200)
  server.kill('SIGTERM')
  expect(await server).toMatchObject({ exitCode: 0 })
})

test.each([
  [{}, true],
  [{ API_KEYS: 'sk-our-own' }, false],
])('with %o, that everybody may use it is said: %s', async (settings, isSaid) => {
  const { server, logged, lines } = await startServer('dies-when-told', settings)

  const { url } = await logged('listening')
  server.kill('SIGTERM')
  await server

  expect(lines.some((line) => /"level":"warn".*no API key is set/.test(line))).toBe(isSaid)
  expect(String(url)).toMatch(/^http:/)
  expect(lines.join('\n')).not.toContain('sk-our-own')
})

test('a file of keys that is not there ends the start', async () => {
  const { server, lines } = await startServer('dies-when-told', { API_KEYS_FILE: '/nowhere/keys' })

  expect(await server).toMatchObject({ exitCode: 1 })
  expect(lines.at(-1)).toContain('API_KEYS_FILE=/nowhere/keys: the file cannot be read')
})

test('a server that is full says so before an upload, and takes the next one when there is room', async () => {
  const settings = { MAX_CONCURRENT_TRANSCRIPTIONS: '1', MAX_QUEUE_SIZE: '0', API_KEYS: 'sk-our-own' }
  const { server, logged } = await startServer('hangs-after-cancel', settings)
  const { url } = await logged('listening')
  await logged('ready: fixture')
  const client = new AbortController()
  const post = async (signal = AbortSignal.timeout(10_000)) => {
    const body = new FormData()
    body.append('file', new Blob([await readFile(SILENCE)]), 'a.wav')
    const headers = { 'x-api-key': 'sk-our-own' }
    return fetch(`${String(url)}/v1/audio/transcriptions`, { method: 'POST', headers, body, signal })
  }
  const active = async () => {
    const health = (await (await fetch(`${String(url)}/health`)).json()) as { queue: { active: number } }
    return health.queue.active
  }

  const first = post(client.signal)
  await expect.poll(active).toBe(1)
  const second = await post()
  client.abort()
  await expect(first).rejects.toThrow('aborted')
  await expect.poll(active).toBe(0)

  expect(second.status).toBe(503)
  expect(second.headers.get('retry-after')).toBe('5')
  expect(await second.json()).toMatchObject({ error: { code: 'queue_full' } })
  expect((await post()).status).toBe(200)
  server.kill('SIGTERM')
  expect(await server).toMatchObject({ exitCode: 0 })
})

test('who comes while it shuts down is told when to come back', async () => {
  const { server, logged } = await startServer('dies-when-told')
  const { port } = new URL(String((await logged('listening')).url))
  await logged('ready: fixture')
  const socket = connect(Number(port), '127.0.0.1').setEncoding('utf8')
  const heard: string[] = []
  socket.on('data', (text) => heard.push(String(text)))

  // The beginning of a second request travels with the first: its answer says that both have arrived.
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\nPOST /transcribe HTTP/1.1\r\nHost: x\r\n')
  await expect.poll(() => heard.join('')).toContain('"service":"hviske-api"')
  server.kill('SIGTERM')
  await logged('shutting down')
  socket.write(
    'Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
  )

  await expect
    .poll(() => heard.join(''))
    .toMatch(/HTTP\/1.1 503 [^]*retry-after: 10[^]*"code":"shutting_down"/i)
  expect(await server).toMatchObject({ exitCode: 0 })
})

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
