// Answers each recording with its own path; the path `/die` kills it in the middle of the answer.
import { becomeReady, done, onRequest, say, window } from './wire.ts'

becomeReady()
onRequest((request) => {
  if (request.kind === 'shutdown') process.exit(0)
  if (request.kind !== 'transcribe') return
  say(window(request.id, 0, ` ${request.pcm_path}`))
  if (request.pcm_path === '/die') {
    process.stderr.write('Segmentation fault (core dumped)\n')
    process.exit(9)
  }
  say(window(request.id, 1, ' end.'), done(request.id))
})
