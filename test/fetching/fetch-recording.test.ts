// A URL becomes a file: what is fetched, what is refused, and what is left behind.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createPlainServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { type FetchLimits, fetchLimitsOf } from '../../src/fetching/fetch-limits.ts'
import { fetchRecording, requireFetchable } from '../../src/fetching/fetch-recording.ts'
import { DiskRoom, diskRoomOf } from '../../src/upload/disk-room.ts'
import { startWeb } from './web-server.ts'

const LOOPBACK = ['127.0.0.0/8']

test('a recording is fetched: its bytes, their hash, their number and its name', async () => {
  await using web = await startWeb((_request, response) => response.end('sound'))
  await using home = await start()

  const fetched = await home.fetch(`${web.url}/dir/m%C3%B8de%20ett.wav?token=1#there`)

  expect(await readFile(fetched.path, 'utf8')).toBe('sound')
  expect(fetched).toEqual({
    path: home.path,
    name: 'møde ett.wav',
    sizeBytes: 5,
    sha256: createHash('sha256').update('sound').digest('hex'),
  })
  expect(web.asked[0]?.url).toBe('/dir/m%C3%B8de%20ett.wav?token=1')
})

test('nothing but what is needed is told to the other side', async () => {
  await using web = await startWeb((_request, response) => response.end('sound'))
  await using home = await start()

  await home.fetch(`${web.url}/a.wav`)

  expect(web.asked[0]?.headers).toEqual({
    host: `127.0.0.1:${web.port}`,
    connection: 'close',
    accept: '*/*',
    'accept-encoding': 'identity',
    'user-agent': 'hviske-api',
  })
})

test.each([
  ['attachment; filename="from header.mp3"', '/url.wav', 'from header.mp3'],
  ["attachment; filename=plain.mp3; filename*=UTF-8''m%C3%B8de.mp3", '/url.wav', 'møde.mp3'],
  ['attachment; filename="../../etc/passwd"', '/url.wav', 'passwd'],
  ['inline', '/url.wav', 'url.wav'],
  ['damaged;;;=', '/url.wav', 'url.wav'],
  [undefined, '/', undefined],
  [undefined, '/%E0%A4%A.wav', '%E0%A4%A.wav'],
  [undefined, '/..%2F..%2Fetc%2Fpasswd', 'passwd'],
])('the name of the file is metadata: %s of %s is %s', async (disposition, path, name) => {
  await using web = await startWeb((_request, response) => {
    if (disposition !== undefined) response.setHeader('content-disposition', disposition)
    response.end('sound')
  })
  await using home = await start()

  expect((await home.fetch(`${web.url}${path}`)).name).toBe(name)
})

test.each([
  'http://127.0.0.1:PORT/',
  'http://localhost:PORT/',
  'http://[::1]:PORT/',
  'http://[::ffff:127.0.0.1]:PORT/',
  'http://[::ffff:7f00:1]:PORT/',
  'http://0x7f.1:PORT/',
  'http://0177.0.0.1:PORT/',
  'http://2130706433:PORT/',
  'http://127.1:PORT/',
  'http://0.0.0.0:PORT/',
  'http://0:PORT/',
  'http://127。0。0。1:PORT/',
  'http://[64:ff9b::7f00:1]/',
  'http://100.64.0.1/',
  'http://169.254.169.254/latest/meta-data/',
  'http://10.0.0.1/',
  'https://192.168.1.1/',
])('%s is not fetched: no connection is made', async (url) => {
  await using web = await startWeb((_request, response) => response.end('secret'))
  await using home = await start({ allowedNetworks: [] })

  const failure = await home.refusal(url.replace('PORT', String(web.port)))

  expect(failure).toMatchObject({ code: 'url_not_allowed', param: 'url' })
  expect(web.sockets).toHaveLength(0)
  expect(await home.leftovers()).toEqual([])
})

test.each([
  ['ftp://example.org/a.wav', 'url_not_allowed', 'only http and https'],
  ['file:///etc/passwd', 'url_not_allowed', 'only http and https'],
  ['data:audio/wav;base64,AAAA', 'url_not_allowed', 'only http and https'],
  ['http://user:secret@example.org/a.wav', 'url_not_allowed', 'user name or a password'],
  ['http://8.8.8.8:22/', 'url_not_allowed', 'port 22 is not one of 80, 443'],
  ['example.org/a.wav', 'invalid_value', 'is not a URL'],
  ['http://', 'invalid_value', 'is not a URL'],
  ['', 'invalid_value', 'is not a URL'],
  [`http://example.org/${'a'.repeat(9000)}`, 'invalid_value', '8192 characters'],
])('%s is refused before anything is asked of anybody: %s, %s', async (url, code, words) => {
  await using home = await start({ resolve: () => Promise.reject(new Error('nobody should be asked')) })

  const failure = await home.refusal(url)

  expect(failure).toMatchObject({ code, param: 'url' })
  expect(failure.message).toContain(words)
  expect(failure.message).not.toContain('secret')
})

test('a name that leads to a private address is not fetched', async () => {
  await using web = await startWeb((_request, response) => response.end('secret'))
  await using home = await start({ allowedNetworks: [], resolve: async () => ['127.0.0.1'] })

  expect(await home.refusal(`http://rebound.example:${web.port}/`)).toMatchObject({ code: 'url_not_allowed' })
  expect(web.sockets).toHaveLength(0)
})

test('a name is looked up once for a connection: a second answer has no chance to be another', async () => {
  await using web = await startWeb((_request, response) => response.end('sound'))
  const answers = [['127.0.0.1'], ['10.0.0.1']]
  const looked: string[] = []
  await using home = await start({
    resolve: async (name) => {
      looked.push(name)
      return answers.shift() ?? []
    },
  })

  await home.fetch(`http://rebinding.example:${web.port}/`)

  expect(looked).toEqual(['rebinding.example'])
  expect(web.asked[0]?.headers.host).toBe(`rebinding.example:${web.port}`)
})

test('a name that was public at first and private at the second hop is refused there', async () => {
  await using web = await startWeb((request, response) => {
    if (request.url === '/first') response.writeHead(302, { location: '/second', connection: 'close' }).end()
    else response.end('secret')
  })
  // 127.0.0.2 stands for a public address here, 127.0.0.1 for a private one.
  const answers = [['127.0.0.2'], ['127.0.0.1']]
  await using inside = await startWeb((_request, response) => response.end('secret'))
  await using home = await start({
    allowedNetworks: ['127.0.0.2'],
    resolve: async () => answers.shift() ?? [],
  })
  await using outside = await startOn('127.0.0.2', web.port)

  const failure = await home.refusal(`http://rebinding.example:${outside.port}/first`)

  expect(failure).toMatchObject({ code: 'url_not_allowed' })
  expect(inside.asked).toHaveLength(0)
  expect(web.asked.map(({ url }) => url)).toEqual(['/first'])
})

test('of several addresses only the allowed ones are tried, until one answers', async () => {
  await using web = await startWeb((_request, response) => response.end('sound'))
  await using home = await start({ resolve: async () => ['10.0.0.1', '127.0.0.99', '127.0.0.1'] })

  expect((await home.fetch(`http://many.example:${web.port}/`)).sizeBytes).toBe(5)
})

test('a redirect to a private address is refused', async () => {
  await using inside = await startWeb((_request, response) => response.end('secret'))
  await using web = await startWeb((_request, response) =>
    response.writeHead(302, { location: `http://127.0.0.1:${inside.port}/` }).end(),
  )
  await using outside = await startOn('127.0.0.2', web.port)
  await using home = await start({ allowedNetworks: ['127.0.0.2'] })

  expect(await home.refusal(`http://127.0.0.2:${outside.port}/`)).toMatchObject({ code: 'url_not_allowed' })
  expect(inside.sockets).toHaveLength(0)
})

test.each([
  ['file:///etc/passwd', 'url_not_allowed'],
  ['http://user:pw@example.org/', 'url_not_allowed'],
  ['http://', 'url_unreachable'],
  ['', 'url_unreachable'],
])('a redirect to %j is not followed', async (location, code) => {
  await using web = await startWeb((_request, response) => response.writeHead(301, { location }).end())
  await using home = await start()

  expect(await home.refusal(web.url)).toMatchObject({ code })
})

test.each([301, 302, 303, 307, 308])('a %i is followed, relative ones too', async (status) => {
  await using web = await startWeb((request, response) => {
    if (request.url === '/there/b.wav') response.end('sound')
    else response.writeHead(status, { location: 'there/b.wav' }).end('moved')
  })
  await using home = await start()

  expect(await home.fetch(`${web.url}/a.wav`)).toMatchObject({ name: 'b.wav', sizeBytes: 5 })
})

test('five hops are followed, a sixth is not', async () => {
  await using web = await startWeb((request, response) => {
    const left = Number(request.url?.slice(1))
    if (left === 0) response.end('sound')
    else response.writeHead(302, { location: `/${left - 1}` }).end()
  })
  await using home = await start()

  expect(await home.refusal(`${web.url}/6`)).toMatchObject({ code: 'url_unreachable' })
  expect((await home.fetch(`${web.url}/5`)).sizeBytes).toBe(5)
})

test.each([204, 206, 304, 401, 403, 404, 410, 500, 503])(
  'an answer of %i is told as it is',
  async (status) => {
    await using web = await startWeb((_request, response) => response.writeHead(status).end())
    await using home = await start()

    const failure = await home.refusal(web.url)

    expect(failure).toMatchObject({ code: 'url_unreachable', param: 'url', status: 400 })
    expect(failure.message).toContain(String(status))
    expect(await home.leftovers()).toEqual([])
  },
)

test('what is compressed though nobody asked for it is refused, not unpacked', async () => {
  await using web = await startWeb((_request, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(1024 ** 2))),
  )
  await using home = await start()

  expect((await home.refusal(web.url)).message).toContain('compressed')
})

test('a length beyond the limit is refused before a byte of it is read', async () => {
  await using web = await startWeb((_request, response) => {
    response.writeHead(200, { 'content-length': 1001 }).flushHeaders()
  })
  await using home = await start({ maxBytes: 1000 })

  expect(await home.refusal(web.url)).toMatchObject({ code: 'file_too_large', param: 'url', status: 413 })
})

test('a body without end and without a length is cut at the limit, and nothing is left of it', async () => {
  await using web = await startWeb((_request, response) => {
    const more = () => {
      while (response.write(Buffer.alloc(65_536)));
    }
    response.on('drain', more)
    more()
  })
  await using home = await start({ maxBytes: 1_000_000 })

  expect(await home.refusal(web.url)).toMatchObject({ code: 'file_too_large' })
  expect(await home.leftovers()).toEqual([])
  await closed(web.sockets)
})

test('a length that promises more than comes is a download that broke off', async () => {
  await using web = await startRaw('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this')
  await using home = await start()

  expect(await home.refusal(web.url)).toMatchObject({ code: 'url_unreachable' })
  expect(await home.leftovers()).toEqual([])
})

test('a length that promises less than comes is what is taken', async () => {
  await using web = await startRaw('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nsound and more of it')
  await using home = await start()

  const outcome = await home.fetch(web.url).catch((error: unknown) => error)

  // Depends on whether the rest is seen before the connection ends; more than was promised is never kept.
  if (outcome instanceof Failure) expect(outcome.code).toBe('url_unreachable')
  else expect(outcome).toMatchObject({ sizeBytes: 5 })
})

test.each([
  'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 7\r\n\r\nsound',
  'SSH-2.0-OpenSSH_9.2\r\n',
])('what does not speak HTTP, as %j, is told so', async (answer) => {
  await using web = await startRaw(answer)
  await using home = await start()

  expect(await home.refusal(web.url)).toMatchObject({ code: 'url_unreachable' })
})

test('an empty file is told to be empty', async () => {
  await using web = await startWeb((_request, response) => response.end())
  await using home = await start()

  expect(await home.refusal(web.url)).toMatchObject({ code: 'empty_file', param: 'url' })
  expect(await home.leftovers()).toEqual([])
})

test('a byte now and then keeps nobody: a trickle is ended', async () => {
  await using web = await startWeb((_request, response) => {
    const trickle = setInterval(() => response.write('.'), 5)
    response.on('close', () => clearInterval(trickle))
  })
  await using home = await start({ idleMs: 150 })

  const failure = await home.refusal(web.url)

  expect(failure).toMatchObject({ code: 'url_unreachable' })
  expect(failure.message).toContain('next to nothing')
  expect(await home.leftovers()).toEqual([])
  await closed(web.sockets)
})

test('whoever sends nothing at all is not waited for', async () => {
  await using web = await startWeb((_request, response) => response.flushHeaders())
  await using home = await start({ idleMs: 20 })

  expect((await home.refusal(web.url)).message).toContain('next to nothing')
  await closed(web.sockets)
})

test('headers that do not come are not waited for', async () => {
  await using web = await startWeb(() => {})
  await using home = await start({ headersMs: 20 })

  expect((await home.refusal(web.url)).message).toContain('no answer came in time')
  await closed(web.sockets)
})

test('a lookup that does not end is not waited for', async () => {
  await using home = await start({ connectMs: 20, resolve: () => new Promise(() => {}) })

  expect(await home.refusal('http://slow.example/')).toMatchObject({ code: 'url_unreachable' })
})

test('all of it together has its time, too', async () => {
  await using web = await startWeb((_request, response) => {
    const steady = setInterval(() => response.write(Buffer.alloc(8192)), 5)
    response.on('close', () => clearInterval(steady))
  })
  await using home = await start({ totalMs: 200 })

  expect((await home.refusal(web.url)).message).toContain('longer than 0.2 seconds')
  expect(await home.leftovers()).toEqual([])
  await closed(web.sockets)
})

test('a name that nobody knows, and a port where nobody listens, are told as such', async () => {
  await using web = await startWeb(() => {})
  await using home = await start({ resolve: async () => [] })
  const { url } = web
  await web[Symbol.asyncDispose]()

  expect((await home.refusal('http://nobody.example/')).message).toContain('"nobody.example" has no address')
  expect((await home.refusal(url)).message).toContain('no connection could be made')
})

test('a certificate that nobody has vouched for is refused', async () => {
  await using home = await start()
  const [key, cert] = await selfSigned(home.directory)
  const server = createTlsServer({ key, cert }, (_request, response) => response.end('sound'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const { port } = server.address() as AddressInfo

    expect(await home.refusal(`https://127.0.0.1:${port}/`)).toMatchObject({ code: 'url_unreachable' })
  } finally {
    server.close()
  }
})

test('a client that has gone frees the connection and the file', async () => {
  await using web = await startWeb((_request, response) => response.write('the beginning'))
  await using home = await start()
  const gone = new AbortController()
  const fetching = home.fetch(web.url, gone.signal)
  await expect.poll(() => home.leftovers()).toEqual(['fetched'])

  gone.abort(new Error('the client has gone'))

  await expect(fetching).rejects.toThrow('the client has gone')
  expect(await home.leftovers()).toEqual([])
  await closed(web.sockets)
})

test('a client that had gone before is not fetched for', async () => {
  await using web = await startWeb((_request, response) => response.end('sound'))
  await using home = await start()

  await expect(home.fetch(web.url, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
  expect(web.asked).toHaveLength(0)
})

test('a length that does not fit on the disk is refused before it is read, and what it was promised is given back', async () => {
  await using web = await startWeb((_request, response) => {
    response.writeHead(200, { 'content-length': 5000 }).flushHeaders()
  })
  const disk = new DiskRoom({ reserveBytes: 0, freeBytes: async () => 4000 })
  await using home = await start({ disk })

  expect(await home.refusal(web.url)).toMatchObject({ code: 'insufficient_storage', status: 507 })
  using _claim = await disk.claim(4000)
})

test('a body that grows beyond the disk is refused while it grows', async () => {
  await using web = await startWeb((_request, response) => {
    response.write(Buffer.alloc(1000))
    response.write(Buffer.alloc(64 * 1024 ** 2))
  })
  const disk = new DiskRoom({ reserveBytes: 0, freeBytes: async () => 64 * 1024 ** 2 + 500 })
  await using home = await start({ disk })

  expect(await home.refusal(web.url)).toMatchObject({ code: 'insufficient_storage' })
  expect(await home.leftovers()).toEqual([])
})

test('a file that is there already is left as it is', async () => {
  await using web = await startWeb((_request, response) => response.end('sound'))
  await using home = await start()
  await home.fetch(web.url)

  await expect(home.fetch(web.url)).rejects.toThrow('EEXIST')

  expect(await readFile(home.path, 'utf8')).toBe('sound')
})

test.each([
  ['http://rebound.example/', ['10.0.0.1'], 'url_not_allowed'],
  ['http://127.0.0.1/', [], 'url_not_allowed'],
  ['ftp://example.org/', [], 'url_not_allowed'],
  ['nonsense', [], 'invalid_value'],
])('what will be fetched later is refused now: %s at %j', async (url, addresses, code) => {
  await using home = await start({ allowedNetworks: [], resolve: async () => addresses })

  await expect(requireFetchable(url, home.limits, new AbortController().signal)).rejects.toMatchObject({
    code,
  })
})

test.each([[['8.8.8.8']], [[]]])('what leads to %j may be there when it is fetched', async (addresses) => {
  await using home = await start({ resolve: async () => addresses })

  await requireFetchable('https://example.org/', home.limits, new AbortController().signal)
})

async function start(changes: Partial<FetchLimits> & { allowedNetworks?: readonly string[] } = {}) {
  const { allowedNetworks = LOOPBACK, ...others } = changes
  const directory = await mkdtemp(join(tmpdir(), 'hviske-fetch-'))
  const path = join(directory, 'fetched')
  const usual = fetchLimitsOf({
    allowedNetworks,
    ports: [80, 443],
    maxBytes: 100 * 1024 ** 2,
    disk: diskRoomOf(directory, 0),
    totalSeconds: 20,
  })
  const limits = { ...usual, ...others }
  const fetch = (url: string, signal = new AbortController().signal) =>
    fetchRecording(url, path, limits, signal)
  return {
    directory,
    path,
    limits,
    fetch,
    leftovers: async () => (await readdir(directory)).filter((name) => name === 'fetched'),
    refusal: async (url: string): Promise<Failure> => {
      const error = await fetch(url).then(
        () => undefined,
        (refused: unknown) => refused,
      )
      if (error instanceof Failure) return error
      throw new Error('it was not refused', { cause: error })
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}

async function closed(sockets: readonly { readonly destroyed: boolean }[]): Promise<void> {
  expect(sockets.length).toBeGreaterThan(0)
  await expect.poll(() => sockets.every(({ destroyed }) => destroyed)).toBe(true)
}

/** Bytes that are sent to whoever connects, whatever is asked. */
async function startRaw(answer: string) {
  const server = createPlainServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(answer))
  })
  return listening(server, '127.0.0.1')
}

/** Another address of this machine, behind which the same server answers. */
async function startOn(address: string, port: number) {
  const { connect } = await import('node:net')
  const server = createPlainServer((socket) => {
    const inner = connect(port, '127.0.0.1')
    for (const end of [socket, inner]) end.on('error', () => {})
    socket.pipe(inner).pipe(socket)
  })
  return listening(server, address)
}

async function listening(server: ReturnType<typeof createPlainServer>, address: string) {
  server.listen(0, address)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://${address}:${port}`,
    async [Symbol.asyncDispose]() {
      server.close()
    },
  }
}

async function selfSigned(directory: string): Promise<[key: string, certificate: string]> {
  const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')]
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const made = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '1',
  ]
  await promisify(execFile)('openssl', [...made, ...subject, '-keyout', key, '-out', certificate])
  return [await readFile(key, 'utf8'), await readFile(certificate, 'utf8')]
}
