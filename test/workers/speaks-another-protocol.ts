// Comes from another version of the server.
import { say } from './wire.ts'

say({ kind: 'hello', protocol: 1, pid: process.pid })
setInterval(() => {}, 1000)
