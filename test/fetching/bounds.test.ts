// What fetching may cost: bytes, time, room on the disk; and what is left behind, which is nothing.
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { DiskRoom } from '../../src/upload/disk-room.ts'
import { closed, startFetching, startRaw } from './fetching.ts'
import { startWeb } from './web-server.ts'

test('a length beyond the limit is refused before a byte of it is read', async () => {
  await using web = await startWeb((_request, response) => {
    response.writeHead(200, { 'content-length': 1001 }).flushHeaders()
  })
  await using home = await startFetching({ maxBytes: 1000 })

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
  await using home = await startFetching({ maxBytes: 1_000_000 })

  expect(await home.refusal(web.url)).toMatchObject({ code: 'file_too_large' })
  expect(await home.leftovers()).toEqual([])
  await closed(web.sockets)
})

test('a length that promises more than comes is a download that broke off', async () => {
  await using web = await startRaw('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this')
  await using home = await startFetching()

  expect(await home.refusal(web.url)).toMatchObject({ code: 'url_unreachable' })
  expect(await home.leftovers()).toEqual([])
})

test('a length that promises less than comes is what is taken', async () => {
  await using web = await startRaw('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nsound and more of it')
  await using home = await startFetching()

  const outcome = await home.fetch(web.url).then(
    ({ sizeBytes }) => sizeBytes,
    (error: unknown) => error,
  )

  // Whether the rest is seen before the connection ends is a matter of luck; more than was promised is never kept.
  expect([5, expect.objectContaining({ code: 'url_unreachable' })]).toContainEqual(outcome)
})

test.each([
  'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 7\r\n\r\nsound',
  'SSH-2.0-OpenSSH_9.2\r\n',
])('what does not speak HTTP, as %j, is told so', async (answer) => {
  await using web = await startRaw(answer)
  await using home = await startFetching()

  expect(await home.refusal(web.url)).toMatchObject({ code: 'url_unreachable' })
})

test('an empty file is told to be empty', async () => {
  await using web = await startWeb((_request, response) => response.end())
  await using home = await startFetching()

  expect(await home.refusal(web.url)).toMatchObject({ code: 'empty_file', param: 'url' })
  expect(await home.leftovers()).toEqual([])
})

test('a byte now and then keeps nobody: a trickle is ended', async () => {
  await using web = await startWeb((_request, response) => {
    const trickle = setInterval(() => response.write('.'), 5)
    response.on('close', () => clearInterval(trickle))
  })
  await using home = await startFetching({ idleMs: 150 })

  const failure = await home.refusal(web.url)

  expect(failure).toMatchObject({ code: 'url_unreachable' })
  expect(failure.message).toContain('next to nothing')
  expect(await home.leftovers()).toEqual([])
  await closed(web.sockets)
})

test('whoever sends nothing at all is not waited for', async () => {
  await using web = await startWeb((_request, response) => response.flushHeaders())
  await using home = await startFetching({ idleMs: 20 })

  expect((await home.refusal(web.url)).message).toContain('next to nothing')
  await closed(web.sockets)
})

test('headers that do not come are not waited for', async () => {
  await using web = await startWeb(() => {})
  await using home = await startFetching({ headersMs: 20 })

  expect((await home.refusal(web.url)).message).toContain('no answer came in time')
  await closed(web.sockets)
})

test('a lookup that does not end is not waited for', async () => {
  await using home = await startFetching({ connectMs: 20, resolve: () => new Promise(() => {}) })

  expect(await home.refusal('http://slow.example/')).toMatchObject({ code: 'url_unreachable' })
})

test('all of it together has its time, too', async () => {
  await using web = await startWeb((_request, response) => {
    const steady = setInterval(() => response.write(Buffer.alloc(8192)), 5)
    response.on('close', () => clearInterval(steady))
  })
  await using home = await startFetching({ totalMs: 200 })

  expect((await home.refusal(web.url)).message).toContain('longer than 0.2 seconds')
  expect(await home.leftovers()).toEqual([])
  await closed(web.sockets)
})

test('a name that nobody knows, and a port where nobody listens, are told as such', async () => {
  await using web = await startWeb(() => {})
  await using home = await startFetching({ resolve: async () => [] })
  const { url } = web
  await web[Symbol.asyncDispose]()

  expect((await home.refusal('http://nobody.example/')).message).toContain('"nobody.example" has no address')
  expect((await home.refusal(url)).message).toContain('no connection could be made')
})

test('a client that has gone frees the connection and the file', async () => {
  await using web = await startWeb((_request, response) => response.write('the beginning'))
  await using home = await startFetching()
  const gone = new AbortController()
  const fetching = home.fetch(web.url, gone.signal)
  await expect.poll(() => home.leftovers()).toEqual(['fetched'])

  gone.abort(new Error('the client has gone'))

  await expect(fetching).rejects.toThrow('the client has gone')
  expect(await home.leftovers()).toEqual([])
  await closed(web.sockets)
})

test('a length that does not fit on the disk is refused before it is read, and what it was promised is given back', async () => {
  await using web = await startWeb((_request, response) => {
    response.writeHead(200, { 'content-length': 5000 }).flushHeaders()
  })
  const disk = new DiskRoom({ reserveBytes: 0, freeBytes: async () => 4000 })
  await using home = await startFetching({ disk })

  expect(await home.refusal(web.url)).toMatchObject({ code: 'insufficient_storage', status: 507 })
  using _claim = await disk.claim(4000)
})

test('a body that grows beyond the disk is refused while it grows', async () => {
  await using web = await startWeb((_request, response) => {
    response.write(Buffer.alloc(1000))
    response.end(Buffer.alloc(64 * 1024 ** 2))
  })
  const free = [Number.POSITIVE_INFINITY, 0] // a body without a length asks for 64 MB at a time
  const disk = new DiskRoom({ reserveBytes: 0, freeBytes: async () => free.shift() ?? 0 })
  await using home = await startFetching({ disk })

  expect(await home.refusal(web.url)).toMatchObject({ code: 'insufficient_storage' })
  expect(await home.leftovers()).toEqual([])
  expect(free).toEqual([])
})

test('a file that is there already is left as it is', async () => {
  await using web = await startWeb((_request, response) => response.end('sound'))
  await using home = await startFetching()
  await home.fetch(web.url)

  await expect(home.fetch(web.url)).rejects.toThrow('EEXIST')

  expect(await readFile(home.path, 'utf8')).toBe('sound')
})
