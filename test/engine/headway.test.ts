import { expect, test } from 'vitest'
import { Headway } from '../../src/engine/headway.ts'
import type { Answer } from '../../src/engine/protocol.ts'
import { done, window } from '../workers/wire.ts'
import { whole } from './children.ts'

function headway(wantsDeltas = true): Headway {
  return new Headway({
    pcm: whole('/a'),
    task: 'transcribe',
    temperature: 0,
    wantsWords: false,
    wantsLogprobs: false,
    wantsDeltas,
    wantsGuards: true,
  })
}

const delta = (index: number, text: string): Answer => ({ kind: 'delta', id: 1, index, text })

/** What is told when a child says all this. */
const told = (subject: Headway, ...answers: Answer[]) =>
  answers.flatMap((answer) =>
    subject.hear(answer).map((event) => (event.kind === 'delta' ? event.text : event.kind)),
  )

test('the first child begins at the beginning, the next one after the last window that is done', () => {
  const subject = headway()
  const first = subject.question()
  subject.hear(window(1, 0, ' one'))
  const last = window(1, 1, ' two')
  subject.hear(last)

  expect(first).toMatchObject({ resume: null })
  expect(subject.question()).toMatchObject({ resume: last.checkpoint })
})

test.each([
  ['in the same pieces', [' Rød', 'grød', ' med']],
  ['all at once', [' Rødgrød med']],
  ['letter by letter', ' Rødgrød med'.split('')],
])('what the next child says again %s is not told twice', (_how, pieces) => {
  const subject = headway()
  subject.question()
  expect(told(subject, delta(0, ' Rød'), delta(0, 'grø'))).toEqual([' Rød', 'grø'])

  subject.question()
  const news = told(subject, ...pieces.map((piece) => delta(0, piece)), window(9, 0, ' Rødgrød med'))

  expect(news.slice(0, -1).join('')).toBe('d med')
  expect(news.at(-1)).toBe('segments')
})

test('what one child says of the next window is new, whoever said the last one', () => {
  const subject = headway()
  subject.question()
  told(subject, delta(0, ' one'), window(1, 0, ' one'), delta(1, ' two'))
  subject.question()

  expect(told(subject, delta(1, ' two'), window(2, 1, ' two'), delta(2, ' two'))).toEqual([
    'segments',
    ' two',
  ])
})

test.each([
  ['another word', [delta(0, ' Rødt')]],
  ['another window', [delta(1, ' Rød')]],
  ['a window that is shorter than what was told', [window(9, 0, ' Rø')]],
  ['a window that was done before', [window(9, 0, ' Rødgrød'), window(9, 0, ' Rødgrød')]],
  ['a window too far', [window(9, 1, ' Rødgrød')]],
])('a child that says %s than the last one said is not believed', (_what, answers) => {
  const subject = headway()
  subject.question()
  told(subject, delta(0, ' Rødgrød'))
  subject.question()

  expect(() => told(subject, ...answers)).toThrow('could not go on')
})

test('segments are numbered through, and what guards did is told at the end, whichever child saw it', () => {
  const subject = headway(false)
  const judged = { start: 0, end: 1, text: ' Tak.' }
  subject.question()
  const first = subject.hear({ ...window(1, 0, ' one'), dropped: [{ ...judged, reason: 'silence' }] })
  subject.question()
  const second = subject.hear({ ...window(2, 1, ' two'), warnings: [{ ...judged, reason: 'unsure' }] })

  expect([...first, ...second]).toMatchObject([{ segments: [{ id: 0 }] }, { segments: [{ id: 1 }] }])
  expect(subject.hear(done(2))[0]).toMatchObject({
    kind: 'done',
    dropped: [{ reason: 'silence', text: ' Tak.' }],
    warnings: [{ reason: 'unsure', text: ' Tak.' }],
  })
})
