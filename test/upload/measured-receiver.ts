/** A server that receives uploads and answers with the most memory it has ever held. Its own process, so that the client's memory is not in it. */
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve } from '@hono/node-server'
import { diskRoomOf } from '../../src/upload/disk-room.ts'
import { receive } from '../../src/upload/receive.ts'

const spoolDir = await mkdtemp(join(tmpdir(), 'hviske-memory-'))
const limits = { maxBodyBytes: 1_000_000_000, idleMs: 60_000, disk: diskRoomOf(spoolDir, 1) }
const server = serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: async (request: Request) => {
    await using upload = await receive(request, spoolDir, limits)
    const { sizeBytes, sha256 } = upload.file
    return Response.json({ sizeBytes, sha256, peakBytes: process.resourceUsage().maxRSS * 1024 })
  },
}) as Server
if (!server.listening) await new Promise((resolve) => server.once('listening', resolve))
process.send?.((server.address() as AddressInfo).port)

process.once('disconnect', () => {
  server.closeAllConnections()
  server.close()
  rmSync(spoolDir, { recursive: true, force: true })
})
