// Comes from another version of the server.
import { say } from './wire.ts'

say({ kind: 'hello', protocol: 2, pid: process.pid })
setInterval(() => {}, 1000)
