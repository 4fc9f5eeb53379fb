// Is ready on a GPU once, and dies of its first recording; from then on, as the file that GPU_IS_GONE names tells, it finds none.
// With CPU_WILL_DO it then takes the CPU.
import { existsSync, writeFileSync } from 'node:fs'
import { becomeReady, done, onRequest, say, sayHello } from './wire.ts'

const mark = process.env['GPU_IS_GONE'] ?? ''
const isGone = existsSync(mark)
if (isGone && !process.env['CPU_WILL_DO']) {
  sayHello()
  say({ kind: 'fatal', code: 'device_unavailable', message: 'REQUIRE_GPU=1 asks for a GPU.' })
  process.exitCode = 3
} else {
  becomeReady(isGone ? 'cpu' : 'cuda')
  onRequest((request) => {
    if (request.kind === 'shutdown') process.exit(0)
    if (request.kind !== 'transcribe') return
    if (isGone) return say(done(request.id))
    writeFileSync(mark, '')
    process.exit(9)
  })
}
