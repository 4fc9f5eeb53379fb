/** The whole app on fakes behind a real connection, believing the proxy on this machine. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { CONNECTION_TIMES, createHttpServer } from '../../src/http/listener.ts'
import { startParts } from '../http/parts.ts'

export async function startStandIn(settings: Record<string, string> = {}) {
  const parts = await startParts({ TRUSTED_PROXIES: '127.0.0.0/8', ...settings })
  const server = createHttpServer(parts.app.fetch, parts.parts.log, CONNECTION_TIMES)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return {
    ...parts,
    server,
    /** As UPSTREAMS has it. */
    upstream: `127.0.0.1:${port}`,
    requestLines: () => parts.logged.filter(({ message }) => message === 'request'),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await parts[Symbol.asyncDispose]()
    },
  }
}
