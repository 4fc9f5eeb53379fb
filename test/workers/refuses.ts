// Refuses every recording with the code that its path names, and cancels `/cancelled` unasked.
import type { FailedMessage } from '../../src/engine/protocol.ts'
import { becomeReady, onRequest, say } from './wire.ts'

becomeReady()
onRequest((request) => {
  if (request.kind === 'shutdown') process.exit(0)
  if (request.kind !== 'transcribe') return
  const [code, message = ''] = request.pcm_path.slice(1).split('/')
  if (code === 'cancelled') say({ kind: 'cancelled', id: request.id })
  else say({ kind: 'failed', id: request.id, code: code as FailedMessage['code'], message })
})
