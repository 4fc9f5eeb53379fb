// Never answers what is cancelled until something else is asked; then it pays the old debt and answers the new.
import { becomeReady, done, onRequest, say, window } from './wire.ts'

let open: number | undefined
let isCancelled = false
becomeReady()
onRequest((request) => {
  if (request.kind === 'shutdown') process.exit(0)
  if (request.kind === 'cancel') isCancelled = request.id === open
  if (request.kind !== 'transcribe') return
  say(window(request.id, 0, ' one'))
  if (open === undefined) {
    open = request.id
    return
  }
  if (isCancelled) say(window(open, 1, ' too late'), { kind: 'cancelled', id: open })
  say(window(request.id, 1, isCancelled ? ' after a cancel' : ' without a cancel'), done(request.id))
})
