// Telling an address on real sockets: where it may be, and how long it may take.
import { expect, test } from 'vitest'
import { post } from '../../src/fetching/post.ts'
import { closed, startFetching } from './fetching.ts'
import { startWeb } from './web-server.ts'

const NEVER = new AbortController().signal
const LETTER = { headers: { 'content-type': 'application/json', 'webhook-id': 'msg_1' }, body: '{"a":1}' }

test('the letter arrives as it was written, and the answer’s status is told', async () => {
  await using web = await startWeb((request, response) => {
    request.setEncoding('utf8').on('data', (piece: string) => bodies.push(piece))
    request.on('end', () => response.writeHead(418).end('a body that nobody reads'))
  })
  const bodies: string[] = []
  await using place = await startFetching()

  expect(await post(`${web.url}/told?x=1`, LETTER, place.limits, NEVER)).toBe(418)
  expect(bodies.join('')).toBe(LETTER.body)
  expect(web.asked).toMatchObject([
    { method: 'POST', url: '/told?x=1', headers: { 'webhook-id': 'msg_1', 'content-length': '7' } },
  ])
})

test.each([
  'http://127.0.0.1:PORT/',
  'http://localhost:PORT/',
  'http://[::1]:PORT/',
  'http://[::ffff:127.0.0.1]:PORT/',
  'http://0.0.0.0:PORT/',
  'http://10.0.0.1/',
  'http://172.16.0.1/',
  'http://192.168.1.1/',
  'http://169.254.169.254/latest/meta-data/',
  'http://100.64.0.1/',
  'http://[fd00::1]/',
  'http://[fe80::1]/',
  'http://[64:ff9b::7f00:1]/',
  'http://2130706433:PORT/',
])('%s is told nothing', async (url) => {
  await using web = await startWeb((_request, response) => response.end())
  await using place = await startFetching({ allowedNetworks: [] })

  const refused = post(url.replace('PORT', String(web.port)), LETTER, place.limits, NEVER)

  await expect(refused).rejects.toMatchObject({ code: 'url_not_allowed' })
  expect(web.sockets).toEqual([])
})

test('a name that leads to a private address at the second look leads nowhere', async () => {
  await using web = await startWeb((_request, response) => response.end())
  const addresses = ['203.0.113.7', '127.0.0.1']
  const resolve = async () => [addresses.shift() ?? '127.0.0.1']
  await using place = await startFetching({ allowedNetworks: ['203.0.113.7'], resolve })

  const refused = post(`http://receiver.example:${web.port}/`, LETTER, place.limits, NEVER)

  await expect(refused).rejects.toMatchObject({ code: 'url_not_allowed' })
  expect(web.sockets).toEqual([])
})

test.each([301, 302, 307, 308])('a redirect (%i) is an answer, and nobody follows it', async (status) => {
  await using elsewhere = await startWeb((_request, response) => response.end())
  await using web = await startWeb((_request, response) =>
    response.writeHead(status, { location: elsewhere.url }).end(),
  )
  await using place = await startFetching()

  expect(await post(web.url, LETTER, place.limits, NEVER)).toBe(status)
  expect(elsewhere.asked).toEqual([])
})

test('a receiver that does not answer is cut off after its time, and its connection closed', async () => {
  await using web = await startWeb(() => {})
  await using place = await startFetching()

  await expect(post(web.url, LETTER, { ...place.limits, answerMs: 50 }, NEVER)).rejects.toMatchObject({
    name: 'TimeoutError',
  })
  await closed(web.sockets)
})

test('of an answer that never ends only the head is waited for', async () => {
  await using web = await startWeb((_request, response) => {
    response.writeHead(200).write('x')
  })
  await using place = await startFetching()

  expect(await post(web.url, LETTER, place.limits, NEVER)).toBe(200)
  await closed(web.sockets)
})

test('whoever stops the telling closes its connection', async () => {
  const stop = new AbortController()
  await using web = await startWeb(() => stop.abort(new Error('the server ends')))
  await using place = await startFetching()

  await expect(post(web.url, LETTER, place.limits, stop.signal)).rejects.toThrow('the server ends')
  await closed(web.sockets)
})

test('where nobody listens, that is what the delivery log says', async () => {
  const web = await startWeb(() => {})
  await web[Symbol.asyncDispose]()
  await using place = await startFetching()

  await expect(post(web.url, LETTER, place.limits, NEVER)).rejects.toThrow(/no connection could be made/)
})
