// A refusal that comes before the end of an upload has to reach a client that wants the connection closed, as nginx does.
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createHttpServer } from '../../src/http/listener.ts'
import { SILENT } from '../engine/children.ts'

const BODY = Buffer.alloc(30_000_000)
const HEAD = 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n'

async function answerTo(port: number, head: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  let heard = ''
  socket.on('data', (text: string) => (heard += text))
  socket.on('error', () => {}) // what was lost by it is missing in what was heard
  socket.write(head)
  socket.write(BODY)
  await once(socket, 'close')
  return heard
}

test.each([
  ['with its length', `${HEAD}Content-Length: ${BODY.length}\r\n\r\n`],
  ['in one large chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\n${BODY.length.toString(16)}\r\n`],
])('an upload %s is refused early, and its client hears so', async (_how, head) => {
  const server = createHttpServer(async () => new Response('full', { status: 503 }), SILENT)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo

  const answers = await Promise.all(Array.from({ length: 5 }, () => answerTo(port, head)))

  for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 503 [^]*full/)
})
