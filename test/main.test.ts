import { once } from 'node:events'
import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { home, MAIN, SILENCE, spooled, startServer, WORKERS } from './processes.ts'

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
  const { server, logged } = await startServer('dies-when-told', { SHUTDOWN_DELAY_SECONDS: '1' })
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
