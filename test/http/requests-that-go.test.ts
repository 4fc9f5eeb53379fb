// What is left of a request in memory when it has been answered: nothing. Node's own bookkeeping would keep it (src/http/hang-up.ts).
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, onTestFinished, test } from 'vitest'
import { createHttpServer } from '../../src/http/listener.ts'
import { until } from '../../src/until.ts'
import { startParts } from './parts.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const MANY = 40

async function startWatched() {
  const parts = await startParts()
  const requests: WeakRef<Request>[] = []
  const server = createHttpServer((request, env) => {
    requests.push(new WeakRef(request))
    return parts.app.fetch(request, env)
  }, parts.parts.log)
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await parts[Symbol.asyncDispose]()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { ...parts, requests, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function form(fields: Record<string, string> = {}): FormData {
  const body = new FormData()
  body.set('file', new Blob(['sound']), 'a.wav')
  for (const [name, value] of Object.entries(fields)) body.set(name, value)
  return body
}

/** How many are still there. The last ones may be held by what is about to be reused. */
function stillThere({ requests, transcriber }: Awaited<ReturnType<typeof startWatched>>): number {
  transcriber.asked.length = 0 // the fake remembers whom it spoke for
  collectGarbage()
  return requests.filter((request) => request.deref() !== undefined).length
}

test.each([
  ['is answered whole', {}],
  ['is streamed', { stream: 'true' }],
  ['is refused', { response_format: 'nonsense' }],
])('nothing is left of a request that %s', async (_what, fields) => {
  const watched = await startWatched()
  const { url } = watched

  for (let turn = 0; turn < MANY; turn++) {
    const answer = await fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body: form(fields) })
    await answer.text()
  }

  expect(watched.requests).toHaveLength(MANY)
  await expect.poll(() => stillThere(watched)).toBeLessThan(MANY / 4)
})

test('nothing is left of a request whose client left', async () => {
  const watched = await startWatched()
  const { url, transcriber } = watched
  let came = Promise.withResolvers<void>()
  transcriber.before = async (_source, signal) => {
    came.resolve()
    await until(new Promise(() => {}), signal)
  }
  const body =
    '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nsound\r\n--b--\r\n'
  const headers = { 'content-type': 'multipart/form-data; boundary=b', 'content-length': body.length }

  for (let turn = 0; turn < MANY; turn++) {
    came = Promise.withResolvers()
    const client = httpRequest(`${url}/v1/audio/transcriptions`, { method: 'POST', headers, agent: false })
    client.on('error', () => {})
    client.end(body)
    await came.promise
    client.destroy()
  }

  expect(watched.requests).toHaveLength(MANY)
  await expect.poll(() => stillThere(watched)).toBeLessThan(MANY / 4)
})
