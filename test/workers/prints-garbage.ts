// A library prints into the protocol. The path says which kind of garbage.
import { becomeReady, onRequest } from './wire.ts'

const GARBAGE: Record<string, string> = {
  '/not-json': 'Downloading: 42%',
  '/unknown-kind': '{"kind":"news"}',
  '/unknown-field': '{"kind":"cancelled","id":1,"mood":"good"}',
  '/unknown-request': '{"kind":"cancelled","id":999}',
  '/another-answer':
    '{"kind":"detected","id":1,"language":"da","probability":1,"languages":[],"duration_seconds":1}',
  '/hello-again': '{"kind":"hello","protocol":2,"pid":1}',
}

becomeReady()
onRequest((request) => {
  if (request.kind === 'transcribe') process.stdout.write(`${GARBAGE[request.pcm_path]}\n`)
})
setInterval(() => {}, 1000)
