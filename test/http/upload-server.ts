/** The app on fakes as a process of its own, which can be killed, with uploads in the directory that it is given. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createHttpServer } from '../../src/http/listener.ts'
import { diskRoomOf } from '../../src/upload/disk-room.ts'
import { Uploads } from '../../src/uploads/uploads.ts'
import { startParts } from './parts.ts'

const [directory = ''] = process.argv.slice(2)
const uploads = await Uploads.open({
  directory,
  lifetimeSeconds: 3600,
  maxBytes: 1024 ** 3,
  disk: diskRoomOf(directory, 0),
  nowMs: Date.now,
})
const parts = await startParts({}, {}, { uploads })
const server = createHttpServer(parts.app.fetch, parts.parts.log)
server.listen(0, '127.0.0.1')
await once(server, 'listening')
process.send?.((server.address() as AddressInfo).port)
process.once('disconnect', () => {
  void parts[Symbol.asyncDispose]().then(() => process.exit(0))
})
