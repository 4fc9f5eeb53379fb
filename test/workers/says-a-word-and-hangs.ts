// Says the first word of each recording, where words are asked for, and nothing more.
import { becomeReady, onRequest, say } from './wire.ts'

becomeReady()
onRequest((request) => {
  if (request.kind === 'shutdown') process.exit(0)
  if (request.kind === 'cancel') say({ kind: 'cancelled', id: request.id })
  if (request.kind === 'transcribe' && request.deltas) {
    say({ kind: 'delta', id: request.id, index: 0, text: ' Rød' })
  }
})
