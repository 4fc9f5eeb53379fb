// Is ready once, and dies of its first recording; from then on, as the file that GPU_IS_GONE names tells, it finds no GPU.
import { existsSync, writeFileSync } from 'node:fs'
import { becomeReady, onRequest, say, sayHello } from './wire.ts'

const mark = process.env['GPU_IS_GONE'] ?? ''
if (existsSync(mark)) {
  sayHello()
  say({ kind: 'fatal', code: 'device_unavailable', message: 'REQUIRE_GPU=1 asks for a GPU.' })
  process.exitCode = 3
} else {
  becomeReady()
  onRequest((request) => {
    if (request.kind === 'shutdown') process.exit(0)
    if (request.kind !== 'transcribe') return
    writeFileSync(mark, '')
    process.exit(9)
  })
}
