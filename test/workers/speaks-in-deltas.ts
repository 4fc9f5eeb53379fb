// Says its one window in pieces when that is asked for, drops and doubts text when it has guards, and hears no language.
import { becomeReady, done, onRequest, say, window } from './wire.ts'

becomeReady()
onRequest((request) => {
  if (request.kind === 'shutdown') process.exit(0)
  if (request.kind !== 'transcribe') return
  const { id, deltas, guards } = request
  if (deltas)
    say({ kind: 'delta', id, index: 0, text: ' Rød' }, { kind: 'delta', id, index: 0, text: 'grød' })
  const judged = { start: 0, end: 1, text: ' Rødgrød' }
  say({
    ...window(id, 0, ' Rødgrød'),
    dropped: guards ? [{ ...judged, reason: 'repetition' }] : [],
    warnings: guards ? [{ ...judged, reason: 'unsure' }] : [],
  })
  say({ ...done(id), language: null, language_probability: null })
})
