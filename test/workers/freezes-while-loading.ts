// Says that it loads, and then nothing more: it is stopped, as a debugger or a hung driver would stop it.
import { say, sayHello } from './wire.ts'

sayHello()
say({ kind: 'loading', stage: 'loading', message: 'the weights', fraction: null })
process.kill(process.pid, 'SIGSTOP')
