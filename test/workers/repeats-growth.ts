// Repeats what it is told of a recording's samples, and is done when they are all there; hears a language at once.
import { becomeReady, detected, done, onRequest, say, window } from './wire.ts'

let index = 0
const repeat = (id: number, samples: number, isComplete: boolean) => {
  say(window(id, index++, ` ${samples}`))
  if (isComplete) say(done(id))
}

becomeReady()
onRequest((request) => {
  if (request.kind === 'shutdown') process.exit(0)
  if (request.kind === 'transcribe') repeat(request.id, request.pcm_samples, request.pcm_is_complete)
  if (request.kind === 'pcm') repeat(request.id, request.samples, request.is_complete)
  if (request.kind === 'detect_language') say(detected(request.id))
  if (request.kind === 'cancel') process.stderr.write(`cancel ${request.id}\n`)
})
