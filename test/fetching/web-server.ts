/** A web server on this machine that answers as a test says, and says when a connection of it has ended. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export async function startWeb(answer: RequestListener) {
  const server = createServer((request, response) => {
    asked.push(request)
    answer(request, response)
  })
  const asked: Parameters<RequestListener>[0][] = []
  const sockets: Socket[] = []
  server.on('connection', (socket) => sockets.push(socket.on('error', () => {})))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    asked,
    sockets,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      if (server.listening) await once(server, 'close')
    },
  }
}
