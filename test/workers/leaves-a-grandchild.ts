// Dies, while a process that it started still holds its stdout and stderr.
import { spawn } from 'node:child_process'
import { sayHello } from './wire.ts'

sayHello()
const heir = spawn('sleep', ['30'], { stdio: ['ignore', 'inherit', 'inherit'], detached: true })
heir.unref()
process.stderr.write(`${heir.pid}\n`)
process.exitCode = 9
