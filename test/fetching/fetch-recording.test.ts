// A URL becomes a file: what is fetched, and what is told of what answers otherwise.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { startFetching } from './fetching.ts'
import { startWeb } from './web-server.ts'

test('a recording is fetched: its bytes, their hash, their number and its name', async () => {
  await using web = await startWeb((_request, response) => response.end('sound'))
  await using home = await startFetching()

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
  await using home = await startFetching()

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
  await using home = await startFetching()

  expect((await home.fetch(`${web.url}${path}`)).name).toBe(name)
})

test('of several addresses only the allowed ones are tried, until one answers', async () => {
  await using web = await startWeb((_request, response) => response.end('sound'))
  await using home = await startFetching({ resolve: async () => ['10.0.0.1', '127.0.0.99', '127.0.0.1'] })

  expect((await home.fetch(`http://many.example:${web.port}/`)).sizeBytes).toBe(5)
})

test.each([301, 302, 303, 307, 308])('a %i is followed, relative ones too', async (status) => {
  await using web = await startWeb((request, response) => {
    if (request.url === '/there/b.wav') response.end('sound')
    else response.writeHead(status, { location: 'there/b.wav' }).end('moved')
  })
  await using home = await startFetching()

  expect(await home.fetch(`${web.url}/a.wav`)).toMatchObject({ name: 'b.wav', sizeBytes: 5 })
})

test.each([204, 206, 304, 401, 403, 404, 410, 500, 503])(
  'an answer of %i is told as it is',
  async (status) => {
    await using web = await startWeb((_request, response) => response.writeHead(status).end())
    await using home = await startFetching()

    const failure = await home.refusal(web.url)

    expect(failure).toMatchObject({ code: 'url_unreachable', param: 'url', status: 400 })
    expect(failure.message).toContain(String(status))
    expect(await home.leftovers()).toEqual([])
  },
)
