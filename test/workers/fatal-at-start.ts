// Cannot load its model, says so, and leaves as PROTOCOL.md wants it.
import { say, sayHello } from './wire.ts'

sayHello()
say({ kind: 'loading', stage: 'loading', message: 'nowhere/nothing', fraction: null })
say({ kind: 'fatal', code: 'model_unavailable', message: 'nowhere/nothing does not exist.' })
process.exitCode = 3
