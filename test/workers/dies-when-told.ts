// Answers each recording with its own path; `/die` kills it in the middle of the answer, `/die-once` only the first time,
// and in the middle of `/garbage-once` something prints into the protocol.
import { becomeReady, done, onRequest, say, window } from './wire.ts'

becomeReady()
onRequest((request) => {
  if (request.kind === 'shutdown') process.exit(0)
  if (request.kind !== 'transcribe') return
  if (request.resume === null) say(window(request.id, 0, ` ${request.pcm_path}`))
  if (request.pcm_path === '/die' || (request.pcm_path === '/die-once' && request.resume === null)) {
    process.stderr.write('Segmentation fault (core dumped)\n')
    process.exit(9)
  }
  if (request.pcm_path === '/garbage-once' && request.resume === null) {
    process.stdout.write('Downloading: 42%\n')
    return
  }
  say(window(request.id, 1, ' end.'), done(request.id))
})
