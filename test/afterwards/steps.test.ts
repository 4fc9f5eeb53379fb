import fc from 'fast-check'
import { expect, test } from 'vitest'
import { goThroughSteps } from '../../src/afterwards/afterwards.ts'
import type { ChatModel, Question } from '../../src/afterwards/chat.ts'
import { piecesOf } from '../../src/afterwards/steps.ts'
import { createLog } from '../../src/log.ts'

const NEVER = new AbortController().signal
const log = createLog('silent')
const TEXT = 'Vi talte med Meta Frederiksen. Hun kom fra Ålborg. Så gik vi hjem.'

/** A model that says what the test wants, and remembers what it was asked. */
function saying(...answers: (string | Error)[]): ChatModel & { readonly asked: Question[] } {
  const asked: Question[] = []
  return {
    name: 'small',
    asked,
    ask: async (question) => {
      asked.push(question)
      const answer = answers.shift()
      if (answer === undefined) throw new Error('the language model was asked too often')
      if (answer instanceof Error) throw answer
      return answer
    },
  }
}

function after(model: ChatModel, steps: readonly string[], glossary: readonly string[] = []) {
  return goThroughSteps(model, { text: TEXT }, { steps, glossary, language: 'Danish' }, NEVER, log)
}

test('names are corrected from the glossary, which the model is told with the language', async () => {
  const corrected = TEXT.replace('Meta', 'Mette').replace('Ålborg', 'Aalborg')
  const model = saying(corrected)

  const outcome = await after(model, ['correct_names'], ['Mette Frederiksen', 'Aalborg'])

  expect(outcome.text).toBe(corrected)
  expect(outcome.steps).toEqual([{ step: 'correct_names', state: 'done', pieces: 1, refusedPieces: 0 }])
  expect(model.asked[0]?.instructions).toContain('Mette Frederiksen; Aalborg')
  expect(model.asked[0]?.instructions).toContain('Danish')
  expect(model.asked[0]?.text).toBe(TEXT)
})

test('without a glossary nobody is asked for names', async () => {
  const model = saying()

  expect(await after(model, ['correct_names'])).toMatchObject({ text: TEXT, steps: [{ pieces: 0 }] })
  expect(model.asked).toEqual([])
})

test.each([
  [
    'rewrites the text',
    'Statsministeren fra Nordjylland blev interviewet, hvorefter alle begav sig hjemad i regnen.',
  ],
  ['leaves half of it out', 'Vi talte med Mette Frederiksen.'],
  ['chats', `Selvfølgelig! Her er teksten, som jeg har rettet for dig så godt jeg kan: ${TEXT}`],
  ['says nothing', ''],
])('an answer that %s is not taken, and the report says so', async (_what, answer) => {
  const outcome = await after(saying(answer), ['correct_names'], ['Mette'])

  expect(outcome.text).toBe(TEXT)
  expect(outcome.steps).toEqual([{ step: 'correct_names', state: 'done', pieces: 1, refusedPieces: 1 }])
})

test('paragraphs may move line breaks and no words', async () => {
  const divided = TEXT.replace(' Så', '\n\nSå')

  expect((await after(saying(divided), ['paragraphs'])).text).toBe(divided)
  expect((await after(saying(divided.replace('hjem', 'ud')), ['paragraphs'])).text).toBe(TEXT)
})

test('the summary has a title and leaves the text alone', async () => {
  const outcome = await after(saying('# Et møde\n\n- Mette var der.\n- Alle gik hjem.'), ['summary'])

  expect(outcome).toMatchObject({
    title: 'Et møde',
    summary: '- Mette var der.\n- Alle gik hjem.',
    text: TEXT,
  })
})

test('a step that fails is reported and does not keep the next from being taken', async () => {
  const model = saying(new Error('the language model answered with status 500'), '# T\n\nS')

  const outcome = await after(model, ['paragraphs', 'summary'])

  expect(outcome).toMatchObject({
    title: 'T',
    text: TEXT,
    steps: [
      { step: 'paragraphs', state: 'failed', message: 'The language model answered with status 500.' },
      { step: 'summary', state: 'done' },
    ],
  })
})

test('a client that has gone ends the steps', async () => {
  const gone = AbortSignal.abort(new Error('gone'))
  const model: ChatModel = { name: 'm', ask: async (_question, signal) => (signal.throwIfAborted(), 'x') }

  await expect(
    goThroughSteps(model, { text: TEXT }, { steps: ['summary'], glossary: [] }, gone, log),
  ).rejects.toThrow('gone')
})

test('a long text is asked about in pieces and summarised from notes', async () => {
  const long = `${'Der var en gang en mand. '.repeat(1200)}`
  const model = saying('note 1', 'note 2', 'note 3', '# T\n\nS')

  const outcome = await goThroughSteps(
    model,
    { text: long },
    { steps: ['summary'], glossary: [] },
    NEVER,
    log,
  )

  expect(outcome.steps).toMatchObject([{ state: 'done', pieces: 3 }])
  expect(model.asked.at(-1)?.text).toBe('note 1\n\nnote 2\n\nnote 3')
})

test('pieces joined are the text, and none is longer than it may be', () => {
  const text = fc.stringMatching(/^[a-z .\n]{0,200}$/)

  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 40 }), (whole, most) => {
      const pieces = piecesOf(whole, most)
      expect(pieces.every((piece) => piece.length <= most)).toBe(true)
      expect(pieces.join('').replaceAll(/\s/g, '')).toBe(whole.replaceAll(/\s/g, ''))
    }),
    { numRuns: 300 },
  )
})
