// Where a URL may not lead, however it is written, named or passed on.
import { once } from 'node:events'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { requireFetchable } from '../../src/fetching/fetch-recording.ts'
import { selfSigned, startFetching, startOn } from './fetching.ts'
import { startWeb } from './web-server.ts'

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
  await using home = await startFetching({ allowedNetworks: [] })

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
  await using home = await startFetching({
    resolve: () => Promise.reject(new Error('nobody should be asked')),
  })

  const failure = await home.refusal(url)

  expect(failure).toMatchObject({ code, param: 'url' })
  expect(failure.message).toContain(words)
  expect(failure.message).not.toContain('secret')
})

test('a name that leads to a private address is not fetched', async () => {
  await using web = await startWeb((_request, response) => response.end('secret'))
  await using home = await startFetching({ allowedNetworks: [], resolve: async () => ['127.0.0.1'] })

  expect(await home.refusal(`http://rebound.example:${web.port}/`)).toMatchObject({ code: 'url_not_allowed' })
  expect(web.sockets).toHaveLength(0)
})

test('a name is looked up once for a connection: a second answer has no chance to be another', async () => {
  await using web = await startWeb((_request, response) => response.end('sound'))
  const answers = [['127.0.0.1'], ['10.0.0.1']]
  const looked: string[] = []
  await using home = await startFetching({
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
  await using home = await startFetching({
    allowedNetworks: ['127.0.0.2'],
    resolve: async () => answers.shift() ?? [],
  })
  await using outside = await startOn('127.0.0.2', web.port)

  const failure = await home.refusal(`http://rebinding.example:${outside.port}/first`)

  expect(failure).toMatchObject({ code: 'url_not_allowed' })
  expect(inside.asked).toHaveLength(0)
  expect(web.asked.map(({ url }) => url)).toEqual(['/first'])
})

test('a redirect to a private address is refused', async () => {
  await using inside = await startWeb((_request, response) => response.end('secret'))
  await using web = await startWeb((_request, response) =>
    response.writeHead(302, { location: `http://127.0.0.1:${inside.port}/` }).end(),
  )
  await using outside = await startOn('127.0.0.2', web.port)
  await using home = await startFetching({ allowedNetworks: ['127.0.0.2'] })

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
  await using home = await startFetching()

  expect(await home.refusal(web.url)).toMatchObject({ code })
})

test('five hops are followed, a sixth is not', async () => {
  await using web = await startWeb((request, response) => {
    const left = Number(request.url?.slice(1))
    if (left === 0) response.end('sound')
    else response.writeHead(302, { location: `/${left - 1}` }).end()
  })
  await using home = await startFetching()

  expect(await home.refusal(`${web.url}/6`)).toMatchObject({ code: 'url_unreachable' })
  expect((await home.fetch(`${web.url}/5`)).sizeBytes).toBe(5)
})

test('what is compressed though nobody asked for it is refused, not unpacked', async () => {
  await using web = await startWeb((_request, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(1024 ** 2))),
  )
  await using home = await startFetching()

  expect((await home.refusal(web.url)).message).toContain('compressed')
})

test('a certificate that nobody has vouched for is refused', async () => {
  await using home = await startFetching()
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

test('a client that had gone before is not fetched for', async () => {
  await using web = await startWeb((_request, response) => response.end('sound'))
  await using home = await startFetching()

  await expect(home.fetch(web.url, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
  expect(web.asked).toHaveLength(0)
})

test.each([
  ['http://rebound.example/', ['10.0.0.1'], 'url_not_allowed'],
  ['http://127.0.0.1/', [], 'url_not_allowed'],
  ['ftp://example.org/', [], 'url_not_allowed'],
  ['nonsense', [], 'invalid_value'],
])('what will be fetched later is refused now: %s at %j', async (url, addresses, code) => {
  await using home = await startFetching({ allowedNetworks: [], resolve: async () => addresses })

  await expect(requireFetchable(url, home.limits, new AbortController().signal)).rejects.toMatchObject({
    code,
  })
})

test.each([[['8.8.8.8']], [[]]])('what leads to %j may be there when it is fetched', async (addresses) => {
  await using home = await startFetching({ resolve: async () => addresses })

  const asked = requireFetchable('https://example.org/', home.limits, new AbortController().signal)

  await expect(asked).resolves.toBeUndefined()
})
